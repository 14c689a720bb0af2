# frozen_string_literal: true

require "json"
require_relative "goals"
require_relative "results"
require_relative "table"

module Bench
  # Everything that lies under bench/results, on one page there.
  class Report
    PATH = "#{Results::DIRECTORY}/README.md".freeze

    def initialize
      @all = Dir["#{Results::DIRECTORY}/*.json"].map { |file| JSON.parse(File.read(file), symbolize_names: true) }
                                                .select { |results| results.key?(:case) }
                                                .sort_by { |results| results[:case] }
    end

    def save = File.write(PATH, "#{self}\n")

    def to_s
      goals = Goals.table(@all.flat_map { |results| Goals.new(results).verdicts })
      ["# Results",
       "Written by `rake bench`; each case says where and with what it was measured. A multiple is one of medians of " \
       "one run, whose samples take turns.",
       *("## Goals\n\n#{goals}" if goals), *@all.map { |results| section(results) }].join("\n\n")
    end

    private

    def section(results)
      picture = "#{results[:case]}.svg"
      return Table.new(results).to_s unless File.exist?("#{Results::DIRECTORY}/#{picture}")

      "#{Table.new(results)}\n\n![#{results[:case]}](#{picture})"
    end
  end
end
