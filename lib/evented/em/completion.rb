# frozen_string_literal: true

module Evented
  module EM
    # A state that changes until it is one of those that complete it. Callbacks are called through {EM.schedule}.
    class Completion
      include Deferrable

      # @return [Symbol]
      attr_reader :state
      # @return [Object] what it was completed with; an Array if there were several
      attr_reader :value

      def initialize
        @state = :unknown
        @callbacks = Hash.new { |callbacks, state| callbacks[state] = [] }
        @value = []
        @timeout_timer = nil
      end

      # Completes it as a success.
      def succeed(*arguments) = change_state(:succeeded, *arguments)
      alias set_deferred_success succeed

      # Completes it as a failure.
      def fail(*arguments) = change_state(:failed, *arguments)
      alias set_deferred_failure fail

      # What is called when it is in a state: soon if it is.
      def stateback(state, *a, &b)
        if @state == state && completed?
          hand_value(EM.Callback(*a, &b))
        elsif !completed?
          @callbacks[state] << EM.Callback(*a, &b)
        end
        self
      end

      # What is called if it succeeds.
      def callback(*a, &b) = stateback(:succeeded, *a, &b)

      # What is called if it fails.
      def errback(*a, &b) = stateback(:failed, *a, &b)

      # What is called when it is completed in whichever way, after what is called for its state.
      def completion(*a, &b)
        return call_later(EM.Callback(*a, &b)) if completed?

        @callbacks[:completed] << EM.Callback(*a, &b)
        self
      end

      # Enters a state, also after it was completed: then callbacks that are still to be called get the new value.
      def change_state(state, *arguments)
        @value = arguments
        @state = state
        EM.schedule { call_back(state) }
      end
      alias set_deferred_status change_state

      # @return [Boolean]
      def completed? = completion_states.include?(@state)

      # @return [Array<Symbol>] a subclass may have others
      def completion_states = %i[succeeded failed]

      # Fails unless it is completed in time.
      def timeout(time, *arguments)
        cancel_timeout
        @timeout_timer = EM::Timer.new(time) { fail(*arguments) unless completed? }
      end

      # Takes {#timeout} back.
      def cancel_timeout
        @timeout_timer&.cancel
        @timeout_timer = nil
      end

      # Takes a callback back.
      def cancel_callback(*a, &b) = cancel_stateback(:succeeded, *a, &b)

      # Takes an errback back.
      def cancel_errback(*a, &b) = cancel_stateback(:failed, *a, &b)

      # Takes what was given for a state back.
      def cancel_stateback(state, *a, &b)
        @callbacks[state].delete(EM.Callback(*a, &b))
        self
      end

      private

      def call_later(callable)
        EM.schedule { hand_value(callable) }
        self
      end

      def hand_value(callable) = callable.call(*@value)

      def call_back(state)
        called = @callbacks[state]
        hand_value(called.shift) until called.empty?
        return unless completed?

        cancel_timeout
        finished = @callbacks[:completed]
        hand_value(finished.shift) until finished.empty?
        forget_others
      end

      def forget_others = completion_states.each { |state| @callbacks[state].clear }
    end
  end
end
