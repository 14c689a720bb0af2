# frozen_string_literal: true

module Evented
  # From 3.4 on TCPSocket.new tries several addresses at once (Happy Eyeballs), in a way that blocks the whole
  # thread and asks no scheduler (Ruby's bug 21270). Fibers of an evented scheduler connect without it, address
  # after address; everybody else is not affected.
  #
  # @private
  module TCPFastFallback
    class << self
      # @return [Boolean] whether the current fiber is one of ours
      def off?
        Fiber.current_scheduler.is_a?(Scheduler)
      end
    end

    # For TCPSocket.
    module Connect
      def initialize(*, fast_fallback: TCPFastFallback.off? ? false : Socket.tcp_fast_fallback, **)
        super
      end
    end

    # For Socket, whose own methods ask this.
    module Setting
      # @return [Boolean]
      def tcp_fast_fallback
        TCPFastFallback.off? ? false : super
      end
    end
  end
  private_constant :TCPFastFallback

  if Socket.respond_to?(:tcp_fast_fallback)
    # (Sent, because YARD takes a plain call for documentation.)
    TCPSocket.send(:prepend, TCPFastFallback::Connect)
    Socket.singleton_class.send(:prepend, TCPFastFallback::Setting)
  end
end
