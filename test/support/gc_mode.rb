# frozen_string_literal: true

# Runs every test while the garbage collector does its worst: GC_MODE says which. Everything takes longer, so what a
# test waits for may too.
require "support/base"

module GCMode
  MODE = ENV.fetch("GC_MODE")
  # How much more time a test may take.
  PATIENCE = 60

  # Turns the mode on for the test itself, and not for what Minitest does around it.
  module Around
    def before_setup
      super
      GCMode.on
    end

    def after_teardown
      GCMode.off
      super
    end

    private

    def wait_until(deadline: 5, &) = super(deadline: deadline * PATIENCE, &)
  end

  class << self
    def on
      case MODE
      when "stress" then GC.stress = true
      when "compact" then GC.auto_compact = true
      when "verify" then nil
      else abort "GC_MODE is stress, compact or verify, not #{MODE}"
      end
    end

    def off
      GC.stress = false
      GC.auto_compact = false
      GC.verify_compaction_references(toward: :empty, expand_heap: true) if MODE == "verify"
    end
  end
end
