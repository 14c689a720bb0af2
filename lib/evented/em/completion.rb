# frozen_string_literal: true

module Evented
  module EM
    # A state that changes until it is one of those that complete it: `:succeeded`, `:failed`, or what a subclass adds.
    # Callbacks are called on the reactor's thread, in the order in which they were given.
    class Completion
      include Deferrable

      # @return [Symbol] `:unknown` at first
      attr_reader :state
      # @return [Array] what its last change was told with
      attr_reader :value

      def initialize
        @state = :unknown
        # By state; those for whichever completes it under :completed.
        @callbacks = Hash.new { |callbacks, state| callbacks[state] = [] }
        @value = []
        @timeout_timer = nil
      end

      # Completes it as a success.
      #
      # @param arguments what callbacks get
      # @suspends no, unless a callback does
      # @threadsafe yes
      def succeed(*arguments) = change_state(:succeeded, *arguments)
      alias set_deferred_success succeed

      # Completes it as a failure.
      #
      # @param arguments what errbacks get
      # @suspends no, unless an errback does
      # @threadsafe yes
      def fail(*arguments) = change_state(:failed, *arguments)
      alias set_deferred_failure fail

      # What is called once when it enters a state, with what that change was told with; now if it is in it.
      #
      # @param state [Symbol]
      # @param a see {EM.Callback}
      # @return [self]
      # @raise [ArgumentError] if there is nothing to call
      # @suspends no, unless it is called and does
      def stateback(state, *a, &b)
        callable = EM.Callback(*a, &b)
        if @state == state
          @callbacks[state] << callable
          EM.schedule { call_all(state) }
        elsif !completed?
          @callbacks[state] << callable
        end
        self
      end

      # What is called if it succeeds.
      #
      # @param a (see #stateback)
      # @return (see #stateback)
      # @raise (see #stateback)
      # @suspends (see #stateback)
      def callback(*a, &b) = stateback(:succeeded, *a, &b)

      # What is called if it fails.
      #
      # @param a (see #stateback)
      # @return (see #stateback)
      # @raise (see #stateback)
      # @suspends (see #stateback)
      def errback(*a, &b) = stateback(:failed, *a, &b)

      # What is called when it is completed in whichever way, after what is called for its state.
      #
      # @param a (see #stateback)
      # @return (see #stateback)
      # @raise (see #stateback)
      # @suspends (see #stateback)
      def completion(*a, &b)
        @callbacks[:completed] << EM.Callback(*a, &b)
        EM.schedule { call_back } if completed?
        self
      end

      # Enters a state. A callback may have it enter another one: those that follow are called for that.
      #
      # @param state [Symbol]
      # @param arguments what callbacks get
      # @suspends no, unless a callback does
      # @threadsafe yes
      def change_state(state, *arguments)
        @value = arguments
        @state = state
        EM.schedule { call_back }
      end
      alias set_deferred_status change_state

      # @return [Boolean] whether it is in a state that completes it
      def completed? = completion_states.include?(@state)

      # @return [Array<Symbol>] the states that complete it; a subclass may add others
      def completion_states = %i[succeeded failed]

      # Has it fail unless it is completed in time.
      #
      # @param time [Numeric] seconds
      # @param arguments what errbacks get
      # @raise [RuntimeError] if no reactor runs
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
      #
      # @param a what was given to {#callback}
      def cancel_callback(*a, &b) = @callbacks[:succeeded].delete(EM.Callback(*a, &b))

      # Takes an errback back.
      #
      # @param a what was given to {#errback}
      def cancel_errback(*a, &b) = @callbacks[:failed].delete(EM.Callback(*a, &b))

      private

      # Those for the state first; each may change that.
      def call_back
        call_all(@state)
        return unless completed?

        cancel_timeout
        call_all(:completed)
        forget_the_dead
      end

      def call_all(state)
        callbacks = @callbacks[state]
        callbacks.shift.call(*@value) until callbacks.empty?
      end

      # What will not be any more.
      def forget_the_dead = completion_states.each { |state| @callbacks[state].clear }
    end
  end
end
