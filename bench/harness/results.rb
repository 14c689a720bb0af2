# frozen_string_literal: true

require "fileutils"
require "json"

module Bench
  # What a suite found, case by case: to print, and to keep under bench/results.
  class Results
    Entry = Data.define(:case, :samples, :notes) do
      # [Hash<String, Figures>] by subject, of those that have samples
      def figures
        samples.reject { |_, list| list.empty? }.transform_values { |list| Figures.of(list) }
      end
    end

    def initialize(suite)
      @suite = suite
      @entries = []
      @machine = Machine.describe
    end

    def add(kase, samples, notes)
      @entries << Entry.new(kase, samples, notes)
    end

    # Markdown that reads well on a terminal too.
    def to_s
      facts = @machine.merge(software).map { |name, value| "#{name}: #{value}" }.join(" · ")
      ["# #{@suite}", facts, *@entries.map { |entry| Table.new(entry).to_s }].join("\n\n")
    end

    def to_h
      cases = @entries.to_h do |entry|
        [entry.case.name, {
          measures: entry.case.measures, floor: entry.case.floor_title, left_out: entry.notes,
          (entry.case.unit == "ns" ? :nanoseconds_an_operation : :bytes_each) =>
            entry.figures.transform_values(&:to_h),
          samples: entry.samples
        }]
      end
      { suite: @suite, **@machine, **software, cases: cases }
    end

    def save
      directory = FileUtils.mkdir_p("#{ROOT}/bench/results").first
      File.write("#{directory}/#{@suite}.json", "#{JSON.pretty_generate(to_h)}\n")
      File.write("#{directory}/#{@suite}.md", "#{self}\n")
      warn "bench: wrote #{directory}/#{@suite}.json and .md"
    end

    private

    # As the subjects' own processes told it.
    def software
      samples = @entries.flat_map { |entry| entry.samples.values.flatten }
      versions = samples.filter_map { |sample| sample[:versions] }.reduce({}, :merge)
      drivers = samples.filter_map { |sample| "#{sample[:subject]} on #{sample[:driver]}" if sample[:driver] }.uniq
      {
        yjit: samples.any? { |sample| sample[:yjit] } ? "on" : "off",
        versions: versions.map { |name, version| "#{name} #{version}" }.join(", "),
        drivers: drivers.join(", ")
      }
    end
  end
end
