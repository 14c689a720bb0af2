# frozen_string_literal: true

require "json"
require_relative "../harness"

module LLM
  # What came out, to be read.
  class Report
    HEAD = <<~MARKDOWN
      | | streams | seconds | first token p50, p99 (ms) | late p50, p99 (ms) | CPU s | memory MiB | connections | errors |
      |---|--:|--:|--:|--:|--:|--:|--:|--:|
    MARKDOWN

    def initialize(results, machine)
      @results = results
      @machine = machine
    end

    def to_s = HEAD + @results.map { |one| line(one) }.join("\n")

    def save(directory)
      File.write("#{directory}/llm.json", JSON.pretty_generate(machine: @machine, results: @results) << "\n")
      File.write("#{directory}/README.md", <<~MARKDOWN)
        # Streams of a language model into PostgreSQL

        `rake bench:llm`. A burst of streams of #{TOKENS} tokens, one every #{MILLISECONDS} ms, by Net::HTTP into Active Record with a pool of
        5 connections; each line so many at a time. "Late" is what a token took from the moment at which it was due until the program had it.
        A stream takes #{TOKENS * MILLISECONDS / 1000.0} s if nobody has to wait for anything.

        #{@machine}

        #{self}

        ![Seconds by who does it](llm.svg)
      MARKDOWN
      draw("#{directory}/llm.svg") if Bench::Commands.program?("gnuplot")
    end

    private

    def name(one) = "#{one[:mode]} #{one[:concurrency]}"

    def line(one)
      cells = [name(one), one[:streams], "#{one[:seconds]} (#{one[:fastest]} to #{one[:slowest]})",
               one[:first_token].join(", "), one[:late].join(", "), one[:cpu], one[:memory_mib], one[:connections],
               one[:errors].values.sum]
      "| #{cells.join(" | ")} |"
    end

    def draw(path)
      IO.popen(%w[gnuplot -], "w") do |gnuplot|
        gnuplot.write(<<~PLOT)
          set terminal svg size 900,420 font "sans-serif,12"
          set output #{path.dump}
          set style fill solid
          set boxwidth 0.8
          set xtics rotate by -35
          set yrange [0:*]
          set grid ytics
          set ylabel "seconds until all is stored"
          set title "a burst of #{@results.first[:streams]} streams of #{TOKENS} tokens, #{MILLISECONDS} ms each"
          $data << END
          #{@results.map { |one| "#{name(one).dump} #{one[:seconds]} #{colour(one)}" }.join("\n")}
          END
          plot $data using 0:2:3:xtic(1) with boxes lc rgb variable notitle, \\
               "" using 0:2:(sprintf("%.1f", $2)) with labels offset 0,0.7 notitle
        PLOT
      end
    end

    def colour(one)
      Integer(Bench::Chart::COLOURS.fetch({ "async" => "Async" }.fetch(one[:mode], one[:mode])).delete("#"), 16)
    end
  end
end
