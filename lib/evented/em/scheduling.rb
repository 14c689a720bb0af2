# frozen_string_literal: true

module Evented
  # Ticks and timers.
  module EM
    class << self
      # Has the reactor call something in its next pass. Any thread, and a signal handler; also before it runs.
      #
      # @raise [ArgumentError] if there is nothing to call
      def next_tick(callable = nil, &block)
        raise ArgumentError, "no proc or block given" unless callable ||= block

        if (reactor = Reactor.current)
          reactor.ticks.push(callable)
          reactor.signal
        else
          @early_ticks.push(callable)
        end
        nil
      end

      # Calls something now on the reactor's thread, else in its next pass.
      def schedule(*callable, &)
        callable = Callback(*callable, &)
        reactor_running? && reactor_thread? ? callable.call : next_tick { callable.call }
      end

      # Calls something once.
      #
      # @param interval [Numeric] seconds; milliseconds count
      # @return [Integer, nil] its signature, for {cancel_timer}; nil if there is nothing to call
      # @raise [RuntimeError] if no reactor runs, or more run than {set_max_timers} allows
      def add_timer(interval, *callable, &block)
        code = callable.first || block or return
        signature = add_oneshot_timer((interval.to_f * 1000).to_i)
        @timers[signature] = code
        signature
      end

      # Takes a timer back: at once, nothing of it stays.
      #
      # @param timer [Integer, #cancel] of {add_timer} or {add_periodic_timer}; an unknown one is ignored
      def cancel_timer(timer)
        return timer.cancel if timer.respond_to?(:cancel)

        return unless timer.is_a?(Integer)

        __cancel_timer(timer)
        @timers.delete(timer) && false
      end

      # @return [Integer] a timer without anything to call; see {add_timer}
      def add_oneshot_timer(milliseconds)
        if @max_timers && reactor_running? && __timers > @max_timers
          raise "ran out of timers; use #set_max_timers to increase limit"
        end

        __add_timer(milliseconds / 1000.0)
      end

      # @return [Integer] timers that are to fire
      def get_timer_count = __timers

      # Has ticks be called soon. Any thread, and a signal handler.
      #
      # @raise [RuntimeError] if no reactor runs
      def signal_loopbreak
        reactor!("evma_signal_loopbreak").signal
      end

      # Calls what is to be called in this pass.
      def run_deferred_callbacks
        ticks = Reactor.current&.ticks || @early_ticks
        nil while ticks.call_one
      end

      # @private
      def timer_due(signature)
        code = @timers.delete(signature)
        code&.call
      end
    end
  end
end
