# frozen_string_literal: true

module Evented
  module EM
    # A state that changes until it is one of those that complete it: `:succeeded`, `:failed`, or what a subclass adds.
    # What is to be called then is called on the reactor's thread, in the order in which it was given; what comes too
    # late for that, at once by who gives it.
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

      # Completes it as a success; callbacks get what this gets.
      #
      # @suspends no, unless a callback does
      # @threadsafe yes
      def succeed(*) = change_state(:succeeded, *)
      alias set_deferred_success succeed

      # Completes it as a failure; errbacks get what this gets.
      #
      # @suspends no, unless an errback does
      # @threadsafe yes
      def fail(*) = change_state(:failed, *)
      alias set_deferred_failure fail

      # What is called once when it enters a state, with what that change was told with; at once if it is in it.
      #
      # @param state [Symbol]
      # @param a see {EM.Callback}
      # @return [self]
      # @raise [ArgumentError] if there is nothing to call
      # @suspends no, unless it is called and does
      def stateback(state, *a, &)
        callable = EM.Callback(*a, &)
        @callbacks[state] << callable if @state == state || !completed?
        call_back
        self
      end

      # What is called if it succeeds.
      #
      # @param a (see #stateback)
      # @return (see #stateback)
      # @raise (see #stateback)
      # @suspends (see #stateback)
      def callback(*a, &) = stateback(:succeeded, *a, &)

      # What is called if it fails.
      #
      # @param a (see #stateback)
      # @return (see #stateback)
      # @raise (see #stateback)
      # @suspends (see #stateback)
      def errback(*a, &) = stateback(:failed, *a, &)

      # What is called when it is completed in whichever way, after what is called for its state.
      #
      # @param a (see #stateback)
      # @return (see #stateback)
      # @raise (see #stateback)
      # @suspends (see #stateback)
      def completion(*a, &)
        @callbacks[:completed] << EM.Callback(*a, &)
        call_back
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
      def cancel_callback(*a, &) = @callbacks[:succeeded].delete(EM.Callback(*a, &))

      # Takes an errback back.
      #
      # @param a what was given to {#errback}
      def cancel_errback(*a, &) = @callbacks[:failed].delete(EM.Callback(*a, &))

      private

      # Those for the state that it is in first.
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
