# frozen_string_literal: true

module Evented
  # Logger rescues whatever is raised while it writes, says that the writing failed, and goes on. A task that is
  # cancelled, or whose time is up, while it waits for a slow pipe or for another fiber's line would never hear of it.
  #
  # @private
  module LoggerRepairs
    class << self
      # Once Logger is there, which may be later than evented.
      #
      # @return [void]
      def install
        return if @installed || !defined?(::Logger::LogDevice)

        ::Logger::LogDevice.prepend(Write)
        @installed = true
      end

      # @return [Boolean] whether it was raised to end what a fiber does, and is no failure of the device
      def interruption?(error)
        case error
        when Cancel, Expiry, ::Timeout::ExitException then true
        else false
        end
      end
    end

    # For Logger::LogDevice, which calls this where it has rescued something.
    module Write
      private

      def warn(*, **)
        raise $! if LoggerRepairs.interruption?($!)

        super
      end
    end
  end
  private_constant :LoggerRepairs

  LoggerRepairs.install
end
