# frozen_string_literal: true

module Bench
  # What the samples of one subject say, in nanoseconds an operation; the first three in bytes if memory was measured.
  Figures = Data.define(:median, :lowest, :highest, :cpu, :user, :system, :peak_memory_kib, :context_switches) do
    def self.of(samples)
      values = samples.map { |sample| sample[:bytes] || nanoseconds(sample, :wall) }
      new(median: median(values), lowest: values.min, highest: values.max,
          cpu: median(samples.map { |sample| nanoseconds(sample, :user) + nanoseconds(sample, :system) }),
          user: median(samples.map { |sample| nanoseconds(sample, :user) }),
          system: median(samples.map { |sample| nanoseconds(sample, :system) }),
          peak_memory_kib: samples.filter_map { |sample| sample[:peak_memory_kib] }.max,
          context_switches: median(samples.map { |sample| sample[:context_switches].fdiv(sample[:operations]) }))
    end

    def self.nanoseconds(sample, what) = sample[what] * 1e9 / sample[:operations]

    def self.median(values)
      sorted = values.sort
      (sorted[(sorted.size - 1) / 2] + sorted[sorted.size / 2]) / 2.0
    end
  end
end
