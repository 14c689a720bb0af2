# frozen_string_literal: true

require "helper"

# Runs every test while the garbage collector does its worst: GC_MODE says which. What a test waits for may take longer
# then, and a test that makes very many objects has SECONDS of it, then goes on without.
module GCMode
  MODES = {
    # A collection at each allocation.
    "stress" => [-> { GC.stress = true }, -> { GC.stress = false }],
    # Each full collection moves what may be moved, and there is one every millisecond.
    "compact" => [-> { GC.auto_compact = true }, -> { GC.auto_compact = false }],
    # After each test everything is moved, and all references are looked at.
    "verify" => [-> {}, -> { GC.verify_compaction_references(toward: :empty, expand_heap: true) }]
  }.freeze
  MODE = ENV.fetch("GC_MODE")
  ON, OFF = MODES.fetch(MODE)
  SECONDS = Float(ENV.fetch("GC_SECONDS", 10))
  # How much longer a test may take.
  PATIENCE = 60
  # They say what happens within some milliseconds, in which nothing gets done while the collector does its worst.
  IN_TIME = %w[
    KernelSleepTest#test_a_sleep_returns_whole_seconds
    KernelSleepTest#test_sleepers_wake_in_the_order_of_their_deadlines
    TimeoutAfterTest#test_the_outer_one_still_counts_after_the_inner_one_went_off
  ].freeze

  @cut = []

  # The mode is on for the test itself, and not for what Minitest does around it.
  module Around
    def before_setup
      super
      skip "needs its milliseconds" if IN_TIME.include?("#{self.class}##{name}")
      GCMode.on("#{self.class}##{name}")
    end

    def after_teardown
      GCMode.off
      super
    end

    private

    def wait_until(deadline: 5, &) = super(deadline: deadline * PATIENCE, &)
  end

  class << self
    # Names of the tests that were cut short.
    attr_reader :cut

    def on(name)
      ON.call
      @clock = Thread.new { follow(name, now + SECONDS) }
    end

    def off
      return unless @clock

      @clock.kill.join
      @clock = nil
      OFF.call
    end

    private

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

    def follow(name, limit)
      (sleep 0.001) && (GC.start if MODE == "compact") while now < limit
      return unless MODE == "stress"

      OFF.call
      @cut << name
    end
  end
end

Minitest::Test.prepend(GCMode::Around)
Minitest.after_run { warn "#{GCMode.cut.size} tests had only a part of it: #{GCMode.cut.sort.join(", ")}" }
