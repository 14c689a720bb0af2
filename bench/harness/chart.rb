# frozen_string_literal: true

require_relative "commands"
require_relative "markdown"

module Bench
  # A picture of one case's results, drawn by gnuplot: a panel a variant, in it a bar a subject with a whisker from the
  # lowest to the highest sample; or, if the variants are many numbers, a line a subject.
  class Chart
    # Ours stand out, what is no competitor stands back.
    COLOURS = {
      "floor" => "#9aa0a6", "C io_uring" => "#b9bdc2", "evented" => "#c0392b", "evented EM" => "#e67e22",
      "threads" => "#8e6c4f", "Async" => "#2e6da4", "EventMachine" => "#2a8a57", "Node" => "#7a5fb5", "Go" => "#17a2b8"
    }.freeze
    OTHER = "#616161"
    # What takes more than so many times what the best takes is cut off; its figure stands there all the same.
    CUT = 5

    def initialize(results)
      @results = results
      @variants = results[:variants]
      @unit = Case::UNITS[results[:unit].to_sym]
    end

    # Does nothing where gnuplot is not there.
    def save(path)
      return if @variants.empty? || !Commands.program?("gnuplot")

      script = @variants.size > 3 && @variants.all? { |one| one[:variant].is_a?(Integer) } ? lines(path) : panels(path)
      IO.popen(%w[gnuplot -], "w") { |gnuplot| gnuplot.write(script) }
      raise Failure, "gnuplot could not draw #{path}" unless $?.success?
    end

    private

    def panels(path)
      columns = [@variants.size, 3].min
      rows = @variants.size.ceildiv(columns)
      height = 60 + (28 * @variants.map { |variant| variant[:subjects].size }.max)
      <<~GNUPLOT
        #{head(path, width: [760, 380 * columns].max, height: (height * rows) + 60)}
        set multiplot layout #{rows},#{columns} title #{quote(title)} font ",14"
        set border 3
        set grid xtics lc "#dddddd"
        set format x "%.0s%c"
        #{@variants.each_with_index.map { |variant, index| panel(variant, index) }.join("\n")}
        unset multiplot
      GNUPLOT
    end

    def panel(variant, number)
      subjects = variant[:subjects].reverse
      tics = subjects.each_with_index.map { |subject, index| "#{quote(subject[:name])} #{index}" }
      best = subjects.map { |subject| subject[:median] }.min
      end_of_axis = [subjects.map { |subject| subject[:highest] }.max, CUT * best].min
      rows = subjects.each_with_index.map { |subject, index| bar(subject, index, end_of_axis) }
      <<~GNUPLOT
        $d#{number} << END
        #{rows.join("\n")}
        END
        set title #{quote([*heading(variant), @unit].join(", "))} font ",12"
        set ytics (#{tics.join(", ")})
        set yrange [-0.6:#{subjects.size - 0.4}]
        set xtics #{step(end_of_axis)}
        set xrange [0:#{1.25 * end_of_axis}]
        plot $d#{number} using (0):2:(0):1:($2-0.35):($2+0.35):5 with boxxyerror fs solid 0.9 noborder lc rgb variable notitle, \\
             $d#{number} using 1:2:3:4 with xerrorbars pt 0 lw 1.2 lc "#333333" notitle, \\
             $d#{number} using 4:2:6 with labels left offset 0.6,0 font ",11" notitle
      GNUPLOT
    end

    def heading(variant) = variant[:variant] && "#{Markdown.whole(variant[:variant])} #{@results[:variants_of]}".strip

    def bar(subject, index, end_of_axis)
      median, lowest, highest = subject.values_at(:median, :lowest, :highest).map { |value| [value, end_of_axis].min }
      label = "#{"… " if subject[:median] > end_of_axis}#{Markdown.number(subject[:median])}"
      [median, index, lowest, highest, colour(subject).sub("#", "0x"), quote(label)].join(" ")
    end

    # 1, 2 or 5 and zeros, so that about four of them make the axis.
    def step(end_of_axis)
      power = 10**Math.log10(end_of_axis / 4.0).floor
      [1, 2, 5, 10].map { |digit| digit * power }.find { |size| size >= end_of_axis / 4.0 }
    end

    def lines(path)
      names = @variants.flat_map { |variant| variant[:subjects] }.uniq { |subject| subject[:name] }
      dashes = Hash.new(0)
      plots = names.each_with_index.map do |subject, index|
        "$d#{index} using 1:2:3:4 with yerrorlines lc #{quote(colour(subject))} dt #{dashes[subject[:family]] += 1} " \
          "lw 1.6 pt 7 ps 0.5 title #{quote(subject[:name])}"
      end
      tics = @variants.each_with_index.map { |variant, index| "#{quote(Markdown.whole(variant[:variant]))} #{index}" }
      <<~GNUPLOT
        #{head(path, width: 760, height: 420)}
        set title #{quote(title)}
        set ylabel #{quote(@unit)}
        set xlabel #{quote(@results[:variants_of].to_s)}
        set format y "%.0s%c"
        set yrange [0:*]
        set xtics (#{tics.join(", ")})
        set xrange [-0.3:#{@variants.size - 0.7}]
        set grid ytics lc "#dddddd"
        set border 3
        set key outside right vertical
        #{names.each_with_index.map { |subject, index| line("d#{index}", subject[:name]) }.join("\n")}
        plot #{plots.join(", ")}
      GNUPLOT
    end

    def line(label, name)
      rows = @variants.each_with_index.filter_map do |variant, index|
        found = variant[:subjects].find { |subject| subject[:name] == name }
        [index, *found.values_at(:median, :lowest, :highest)].join(" ") if found
      end
      "$#{label} << END\n#{rows.join("\n")}\nEND"
    end

    def head(path, width:, height:)
      <<~GNUPLOT.chomp
        set terminal svg size #{width},#{height} font "sans-serif,13" background "white" noenhanced
        set output #{quote(path)}
        set tics nomirror
      GNUPLOT
    end

    def title = "#{@results[:case]}: #{@results[:measures]}".gsub(/(.{60,80}?)\s/, "\\1\n")

    def colour(subject) = COLOURS.fetch(subject[:family], OTHER)

    def quote(text) = "\"#{text.to_s.gsub(/["\\]/, "'").gsub("\n", "\\n")}\""
  end
end
