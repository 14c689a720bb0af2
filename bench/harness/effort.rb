# frozen_string_literal: true

require "etc"

module Bench
  # How much is done: enough to measure, or just enough to see that it runs.
  Effort = Data.define(:rounds, :seconds, :warm_up_seconds, :jobs, :smoke) do
    # One at a time, since they would disturb each other.
    def self.full(rounds:) = new(rounds: rounds, seconds: 0.7, warm_up_seconds: 0.2, jobs: 1, smoke: false)

    # Nothing is measured, so that they may.
    def self.smoke = new(rounds: 1, seconds: 0.1, warm_up_seconds: 0.05, jobs: 2 * Etc.nprocessors, smoke: true)

    def operations(kase, kind, variant)
      count = kase.operations_of(kind, variant)
      smoke ? [count / 100, 10].max : count
    end

    def rounds_of(kase)
      kase.rounds ? [rounds, kase.rounds].min : rounds
    end

    def variants_of(kase) = smoke ? [kase.smoke_variant] : kase.variants
  end
end
