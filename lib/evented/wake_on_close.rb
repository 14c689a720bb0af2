# frozen_string_literal: true

module Evented
  # Wakes the fibers that wait on an IO when it is closed. From 4.0 on Ruby does that itself; before, nothing tells
  # a scheduler, and the fibers would wait for ever.
  #
  # @private
  module WakeOnClose
    class << self
      # @return [Boolean] whether closing this IO may concern a reactor: without autoclose the descriptor stays open,
      #   and belongs to somebody else; and there are none in other Ractors than the main one
      def concerns?(io)
        !io.closed? && io.autoclose? && Ractor.current.equal?(Ractor.main)
      end
    end

    # @return [void]
    def close
      Native.closing(self, nil) if WakeOnClose.concerns?(self)
      super
    end

    # (Those of sockets shut them down, and the kernel wakes who waits.)
    #
    # @return [void]
    def close_read
      Native.closing(self, File::RDONLY) if WakeOnClose.concerns?(self)
      super
    end

    # @return [void]
    def close_write
      Native.closing(self, File::WRONLY) if WakeOnClose.concerns?(self)
      super
    end

    # @return [IO]
    def reopen(other, *, **)
      Native.closing(self, nil) if other.respond_to?(:to_io) && WakeOnClose.concerns?(self)
      super
    end
  end
  private_constant :WakeOnClose

  # (Sent, because YARD takes a plain call for documentation.)
  IO.send(:prepend, WakeOnClose) if Native::SCHEDULER_VERSION < 3
end
