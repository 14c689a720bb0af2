# frozen_string_literal: true

module Evented
  # Wakes the fibers that wait on an IO when it is closed. From 4.0 on Ruby does that itself; before, nothing tells
  # a scheduler, and the fibers would wait for ever.
  #
  # @private
  module WakeOnClose
    # @return [void]
    def close
      # Without autoclose the descriptor stays open, and belongs to somebody else.
      Native.closing(self) if !closed? && autoclose?
      super
    end
  end
  private_constant :WakeOnClose

  # (Sent, because YARD takes a plain call for documentation.)
  IO.send(:prepend, WakeOnClose) if Native::SCHEDULER_VERSION < 3
end
