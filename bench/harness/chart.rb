# frozen_string_literal: true

require_relative "commands"

module Bench
  # A picture of one case's results, drawn by gnuplot: a bar a subject with a whisker from the lowest to the highest
  # sample; with variants a line a subject.
  class Chart
    # Ours stand out, what is no competitor stands back.
    COLOURS = {
      "floor" => "#9aa0a6", "evented" => "#c0392b", "evented EM" => "#e67e22", "threads" => "#8e6c4f",
      "Async" => "#2e6da4", "EventMachine" => "#2a8a57", "Node" => "#7a5fb5", "Go" => "#17a2b8"
    }.freeze
    OTHER = "#616161"

    def initialize(results)
      @results = results
      @unit = Case::UNITS[results[:unit].to_sym]
    end

    # Does nothing where gnuplot is not there.
    def save(path)
      return if @results[:variants].empty? || !Commands.program?("gnuplot")

      IO.popen(%w[gnuplot -], "w") { |gnuplot| gnuplot.write(script(path)) }
      raise Failure, "gnuplot could not draw #{path}" unless $?.success?
    end

    private

    def script(path)
      several? ? lines(path) : bars(path)
    end

    def several? = @results[:variants].size > 1

    def bars(path)
      subjects = @results[:variants].first[:subjects].reverse
      tics = subjects.each_with_index.map { |subject, index| "#{quote(subject[:name])} #{index}" }.join(", ")
      rows = subjects.each_with_index.map do |subject, index|
        [subject[:median], index, subject[:lowest], subject[:highest], colour(subject).sub("#", "0x")].join(" ")
      end
      <<~GNUPLOT
        #{head(path, height: 110 + (28 * subjects.size))}
        set xlabel #{quote(@unit)}
        set format x "%.0s%c"
        #{"set logscale x" if far_apart?(subjects)}
        set ytics (#{tics})
        set yrange [-0.6:#{subjects.size - 0.4}]
        set xrange [#{far_apart?(subjects) ? subjects.map { |subject| subject[:lowest] }.min / 2 : 0}:*]
        set grid xtics lc "#dddddd"
        set border 3
        $data << END
        #{rows.join("\n")}
        END
        left = #{far_apart?(subjects) ? subjects.map { |subject| subject[:lowest] }.min / 2 : 0}
        plot $data using (left):2:(left):1:($2-0.35):($2+0.35):5 with boxxyerror fs solid 0.9 noborder lc rgb variable notitle, \\
             $data using 1:2:3:4 with xerrorbars pt 0 lw 1.4 lc "#333333" notitle
      GNUPLOT
    end

    def lines(path)
      names = @results[:variants].flat_map { |variant| variant[:subjects] }.uniq { |subject| subject[:name] }
      tics = @results[:variants].each_with_index.map do |variant, index|
        "#{quote(Markdown.whole(variant[:variant]))} #{index}"
      end
      blocks = names.each_with_index.map { |subject, index| block("d#{index}", subject[:name]) }
      dashes = Hash.new(0)
      plots = names.each_with_index.map do |subject, index|
        dash = dashes[subject[:family]] += 1
        "$d#{index} using 1:2:3:4 with yerrorlines lc #{quote(colour(subject))} dt #{dash} lw 1.6 pt 7 ps 0.5 " \
          "title #{quote(subject[:name])}"
      end
      <<~GNUPLOT
        #{head(path, height: 420)}
        set ylabel #{quote(@unit)}
        set xlabel #{quote(@results[:variants_of].to_s)}
        set format y "%.0s%c"
        #{far_apart?(@results[:variants].flat_map { |variant| variant[:subjects] }) ? "set logscale y" : "set yrange [0:*]"}
        set xtics (#{tics.join(", ")})
        set xrange [-0.3:#{@results[:variants].size - 0.7}]
        set grid ytics lc "#dddddd"
        set border 3
        set key outside right
        #{blocks.join("\n")}
        plot #{plots.join(", ")}
      GNUPLOT
    end

    def block(label, name)
      rows = @results[:variants].each_with_index.filter_map do |variant, index|
        found = variant[:subjects].find { |subject| subject[:name] == name }
        [index, *found.values_at(:median, :lowest, :highest)].join(" ") if found
      end
      "$#{label} << END\n#{rows.join("\n")}\nEND"
    end

    def head(path, height:)
      <<~GNUPLOT.chomp
        set terminal svg size 760,#{height} font "sans-serif,13" background "white" noenhanced
        set output #{quote(path)}
        set title #{quote("#{@results[:case]}: #{wrapped(@results[:measures])}")}
        set tics nomirror
      GNUPLOT
    end

    def wrapped(sentence) = sentence.gsub(/(.{60,80}?)\s/, "\\1\n")

    # Nothing could be told apart on a plain axis.
    def far_apart?(subjects)
      low, high = subjects.map { |subject| subject[:median] }.minmax
      low.positive? && high > 12 * low
    end

    def colour(subject) = COLOURS.fetch(subject[:family], OTHER)

    def quote(text) = "\"#{text.to_s.gsub(/["\\]/, "'").gsub("\n", "\\n")}\""
  end
end
