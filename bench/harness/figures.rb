# frozen_string_literal: true

module Bench
  # What the samples of one subject say: nanoseconds an operation, bytes, microseconds of latency.
  module Figures
    module_function

    # @param samples [Array<Hash>]
    # @param unit [Symbol] what matters, see Case::UNITS
    # @return [Hash{Symbol => Float}]
    def of(samples, unit)
      values = samples.map { |sample| value(sample, unit) }
      figures = { median: median(values), lowest: values.min, highest: values.max, samples: values }
      %i[user system].each { |name| figures[name] = over(samples) { |sample| nanoseconds(sample, name) } }
      figures.update(
        cpu: over(samples) { |sample| value(sample, :cpu) },
        operations_a_second: over(samples) { |sample| sample[:wall] && (sample[:operations] / sample[:wall]) },
        context_switches: over(samples) { |sample| sample[:switches] } ||
                          over(samples) { |sample| sample[:context_switches].fdiv(sample[:operations]) },
        peak_memory_kib: samples.filter_map { |sample| sample[:peak_memory_kib] }.max
      )
      %i[syscalls p50 p99 p999 highest_latency].each { |name| figures[name] = over(samples) { |sample| sample[name] } }
      figures.compact.transform_values { |value| rounded(value) }
    end

    # As far as it says something; and results that are kept are read.
    def rounded(value)
      return value.map { |one| rounded(one) } if value.is_a?(Array)

      value.is_a?(Float) && value.abs >= 1 ? value.round(2) : value
    end

    def value(sample, unit)
      case unit
      when :wall then nanoseconds(sample, :wall)
      when :cpu then nanoseconds(sample, :user) + nanoseconds(sample, :system)
      else sample.fetch(unit)
      end
    end

    def nanoseconds(sample, what) = sample[what] * 1e9 / sample[:operations]

    def over(samples, &)
      values = samples.filter_map(&)
      median(values) unless values.empty?
    end

    def median(values)
      sorted = values.sort
      (sorted[(sorted.size - 1) / 2] + sorted[sorted.size / 2]) / 2.0
    end
  end
end
