# frozen_string_literal: true

module Evented
  module EM
    # Calls something once.
    class Timer
      # @param interval [Numeric] seconds
      # @param callback [#call, nil] or a block
      # @raise [RuntimeError] if no reactor runs
      def initialize(interval, callback = nil, &block)
        @signature = EM.add_timer(interval, callback || block)
      end

      # Takes it back; it may have fired.
      def cancel = EM.cancel_timer(@signature)
    end

    # Calls something again and again: `interval` seconds after it was made, at twice that, and so on, however long the
    # calls take; those whose time has passed meanwhile are left out. With `drift: true` it waits for `interval` seconds
    # after each call, as in EventMachine.
    class PeriodicTimer
      # @return [Numeric] seconds; a new value counts from the next call on
      attr_accessor :interval

      # @param interval [Numeric] seconds
      # @param callback [#call, nil] or a block
      # @param drift [Boolean]
      # @raise [RuntimeError] if no reactor runs
      def initialize(interval, callback = nil, drift: false, &block)
        @interval = interval
        @code = callback || block
        @drift = drift
        @cancelled = false
        @due = Evented.clock
        schedule
      end

      # Takes it back, also from within its call.
      #
      # @return [true]
      def cancel
        EM.cancel_timer(@signature)
        @cancelled = true
      end

      # @private
      def schedule
        @signature = EM.add_timer(wait, method(:fire))
      end

      # @private
      def fire
        return if @cancelled

        @code&.call
        schedule unless @cancelled
      end

      private

      # @return [Float] seconds until the next call
      def wait
        interval = @interval.to_f
        return interval if @drift || !interval.positive?

        now = Evented.clock
        passed = ((now - @due) / interval).floor
        @due += interval * [passed + 1, 1].max
        # A timer counts whole milliseconds, of which it drops the rest: never early.
        (@due - now).ceil(3) + 0.000_001
      end
    end

    # Calls something again and again.
    #
    # @param interval [Numeric] seconds
    # @param callback [#call, nil] or a block
    # @param drift [Boolean] see {PeriodicTimer}
    # @return [PeriodicTimer]
    # @raise [RuntimeError] if no reactor runs
    def self.add_periodic_timer(interval, callback = nil, drift: false, &)
      PeriodicTimer.new(interval, callback, drift: drift, &)
    end
  end
end
