# frozen_string_literal: true

require_relative "goals"
require_relative "markdown"

module Bench
  # One case's results as they are kept, for the eye: a table a variant, a line a subject.
  class Table
    # A column stands there if anybody has a figure for it.
    COLUMNS = {
      "a second" => ->(subject) { subject[:operations_a_second] && number(subject[:operations_a_second]) },
      "CPU ns" => ->(subject) { number(subject[:cpu]) },
      "user + system" => ->(subject) { "#{number(subject[:user])} + #{number(subject[:system])}" },
      "µs until 50 / 99 / 99.9 %" => lambda do |subject|
        latencies = subject.values_at(:p50, :p99, :p999).compact
        latencies.map { |latency| number(latency) }.join(" / ") unless latencies.empty?
      end,
      "system calls" => ->(subject) { subject[:syscalls] && decimal(subject[:syscalls]) },
      "switches" => ->(subject) { decimal(subject[:context_switches]) },
      "peak MiB" => ->(subject) { subject[:peak_memory_kib] && number(subject[:peak_memory_kib] / 1024.0) }
    }.freeze

    def initialize(results)
      @results = results
      @unit = results[:unit].to_sym
    end

    def to_s
      floor = " Floor: #{@results[:floor]}." if @results[:floor]
      machine = @results[:machine].map { |name, value| "#{name}: #{words(value)}" }.join(" · ")
      ["## #{@results[:case]}", "#{@results[:measures]}.#{floor}",
       *@results[:variants].flat_map { |variant| [*heading(variant), table(variant[:subjects])] },
       slopes, Goals.table(Goals.new(@results).verdicts), notes, machine].compact.join("\n\n")
    end

    private

    def words(value)
      case value
      when Hash then value.map { |name, version| "#{name} #{version}" }.join(", ")
      when Array then value.join(", ")
      else value
      end
    end

    def heading(variant)
      "### #{Markdown.whole(variant[:variant])} #{@results[:variants_of]}".strip if variant[:variant]
    end

    def table(subjects)
      columns = columns_of(subjects)
      others = others_of(subjects)
      rows = subjects.map do |subject|
        [subject[:name], number(subject[:median]), "#{number(subject[:lowest])} … #{number(subject[:highest])}",
         *columns.map { |_, cell| instance_exec(subject, &cell) || "–" },
         *others.values.map { |other| format("%.2f", subject[:median].fdiv(other)) }]
      end
      headings = ["", Case::UNITS[@unit], "lowest … highest", *columns.keys, *others.keys.map { |name| "× #{name}" }]
      Markdown.table([headings, *rows])
    end

    def columns_of(subjects)
      left_out = { bytes: COLUMNS.keys - ["peak MiB"], cpu: ["CPU ns"], wall: ["a second"],
                   p99: ["a second"] }.fetch(@unit)
      COLUMNS.except(*left_out).select { |_, cell| subjects.any? { |subject| instance_exec(subject, &cell) } }
    end

    # What the figures are put in relation to: the floor, and the better of Async's and of EventMachine's two.
    def others_of(subjects)
      %w[floor Async EventMachine].to_h do |family|
        [family, subjects.select { |subject| subject[:family] == family }.map { |subject| subject[:median] }.min]
      end.compact
    end

    # By how much a figure grows from variant to variant: the slope of a line through them, on paper whose both axes are
    # logarithmic. 0 is flat, 1 is in proportion.
    def slopes
      return if @results[:variants].size < 3 || !@results[:variants].all? { |variant| variant[:variant].is_a?(Integer) }

      names = @results[:variants].flat_map { |variant| variant[:subjects].map { |subject| subject[:name] } }.uniq
      sentences = names.filter_map do |name|
        points = @results[:variants].filter_map do |variant|
          found = variant[:subjects].find { |subject| subject[:name] == name }
          [Math.log(variant[:variant]), Math.log(found[:median])] if found && found[:median].positive?
        end
        "#{name} #{format("%+.3f", slope(points))}" if points.size > 2
      end
      "Growth (0 is flat, 1 in proportion to the #{@results[:variants_of]}): #{sentences.join(", ")}."
    end

    def slope(points)
      x, y = points.transpose.map { |values| values.sum / values.size }
      points.sum { |a, b| (a - x) * (b - y) } / points.sum { |a, _| (a - x)**2 }
    end

    def notes
      "Left out: #{@results[:left_out].join("; ")}." unless @results[:left_out].empty?
    end

    def number(value) = Markdown.number(value)
    def decimal(value) = Markdown.decimal(value)
  end
end
