# frozen_string_literal: true

require "fileutils"
require "json"
require_relative "chart"
require_relative "table"

module Bench
  # What was found for one case: to print, and to keep under bench/results as JSON and as a picture.
  class Results
    DIRECTORY = "#{ROOT}/bench/results".freeze

    # [Case]
    attr_reader :case

    def initialize(kase)
      @case = kase
      @samples = Hash.new { |variants, variant| variants[variant] = Hash.new { |names, name| names[name] = [] } }
      @families = {}
      @left_out = {}
      @lock = Mutex.new
    end

    def add(subject, variant, sample)
      @lock.synchronize do
        @families[subject.name] = subject.family
        @samples[variant][subject.name] << sample
      end
    end

    # Once is enough, for this variant (or for all).
    def leave_out(subject, reason, variant = nil)
      @lock.synchronize { @left_out[[subject, variant]] = reason }
    end

    def left_out?(subject, variant) = @left_out.key?([subject, variant])

    def empty? = @samples.empty?

    def to_s = Table.new(to_h).to_s

    # As it is kept; {Table}, {Chart} and {Goals} read the same.
    def to_h
      @to_h ||= {
        case: @case.name, measures: @case.measures, floor: @case.floor_title, unit: @case.unit.to_s,
        variants_of: @case.variants_title, machine: Machine.describe.merge(software),
        goals: @case.goals.map(&:to_h), left_out: notes,
        variants: @samples.map { |variant, subjects| { variant: variant, subjects: subjects(subjects) } }
      }.compact
    end

    def save
      FileUtils.mkdir_p(DIRECTORY)
      File.write("#{DIRECTORY}/#{@case.name}.json", "#{JSON.pretty_generate(to_h)}\n")
      Chart.new(to_h).save("#{DIRECTORY}/#{@case.name}.svg")
    end

    private

    def subjects(subjects)
      floors, others = [*SUBJECTS, *@case.programs].partition { |subject| subject.family == "floor" }
      order = (floors + others).map(&:name)
      subjects.sort_by { |name, _| order.index(name) }.map do |name, samples|
        { name: name, family: @families[name], **Figures.of(samples, @case.unit) }
      end
    end

    # As the subjects' own processes told it.
    def software
      samples = @samples.values.flat_map(&:to_a)
      all = samples.flat_map(&:last)
      drivers = samples.filter_map { |name, list| "#{name} on #{list.first[:driver]}" if list.first[:driver] }.uniq
      {
        yjit: all.any? { |sample| sample[:yjit] } ? "on" : "off",
        versions: all.filter_map { |sample| sample[:versions] }.reduce({}, :merge), drivers: drivers
      }
    end

    # "Puma (puma is not there)", with the variants where it was only some.
    def notes
      grouped = @left_out.group_by { |(subject, _), reason| [subject, reason] }
      grouped.map do |(subject, reason), list|
        variants = list.filter_map { |(_, variant), _| variant }
        at = " at #{variants.join(", ")}" if variants.any? && variants != @case.variants
        "#{subject}#{at} (#{reason})"
      end
    end
  end
end
