# frozen_string_literal: true

require_relative "usage"

module Bench
  # One measurement, in the process of a subject. Without a word from the case's block it lasts as long as the block;
  # `measure`, or `start` and `stop`, narrow it down.
  class Run
    # [Object] of the case's variants
    attr_reader :variant

    # @param memory [Boolean] whether it is about memory
    # @param control [Control, nil] counts system calls meanwhile
    def initialize(variant, memory: false, control: nil)
      @variant = variant
      @memory = memory
      @control = control
      @starts = 0
      @reported = {}
    end

    def start
      @starts += 1
      GC.start
      @stopped = nil
      @control&.tell("enable")
      @before = Usage.mine
      @clock = now
    end

    # Whether the case's block has said when it starts, instead of leaving that to the worker.
    def narrowed? = @starts > 1

    # The first counts.
    def stop
      return if @stopped

      clock = now
      GC.start if @memory
      @stopped = [clock, Usage.mine]
      @control&.tell("disable")
    end

    def measure
      start
      yield.tap { stop }
    end

    # Further figures of the sample: latencies, or one that is no time at all.
    def report(**figures) = @reported.update(figures)

    # @return [Hash]
    def sample(operations)
      clock, after = @stopped
      used = after - @before
      memory = @memory ? { bytes: used.resident.fdiv(operations) } : {}
      { operations: operations, wall: clock - @clock, user: used.user, system: used.system,
        context_switches: used.context_switches, peak_memory_kib: after.peak_memory_kib, **memory, **@reported }
    end

    private

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
