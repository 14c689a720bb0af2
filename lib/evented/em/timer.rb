# frozen_string_literal: true

module Evented
  module EM
    # Calls something once.
    class Timer
      # @param interval [Numeric] seconds
      # @raise [RuntimeError] if no reactor runs
      def initialize(interval, callback = nil, &block)
        @signature = EM.add_timer(interval, callback || block)
      end

      # Takes it back.
      def cancel = EM.cancel_timer(@signature)
    end

    # Calls something again and again: at `interval` seconds after it was made, at twice that, and so on, however long the
    # calls take. With `drift: true` each is `interval` seconds after the one before has ended, as in EventMachine.
    class PeriodicTimer
      # @return [Numeric] seconds; a new one counts from the next call on
      attr_accessor :interval

      # @param interval [Numeric] seconds
      # @raise [RuntimeError] if no reactor runs
      def initialize(interval, callback = nil, drift: false, &block)
        @interval = interval
        @code = callback || block
        @cancelled = false
        @drift = drift
        @due = now
        schedule
      end

      # Takes it back, also from within its call.
      def cancel
        @cancelled = true
        EM.cancel_timer(@signature)
      end

      private

      def schedule
        @signature = EM.add_timer(wait, method(:fire))
      end

      # Calls that were missed are left out.
      def wait
        return @interval if @drift

        @due += @interval
        @due = now + @interval if @due <= now - @interval
        [@due - now, 0].max.ceil(3)
      end

      def fire
        @code.call
        schedule unless @cancelled
      end

      def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    # Calls something again and again.
    #
    # @param interval [Numeric] seconds
    # @param drift [Boolean] see {PeriodicTimer}
    # @return [PeriodicTimer]
    # @raise [RuntimeError] if no reactor runs
    def self.add_periodic_timer(interval, callback = nil, drift: false, &)
      PeriodicTimer.new(interval, callback, drift: drift, &)
    end
  end
end
