# frozen_string_literal: true

require "socket"

module Fuzz
  module Cancel
    # What is raised in a victim.
    class Stop < StandardError; end

    # What a place finds wrong afterwards.
    class Broken < StandardError; end

    # Somewhere to wait: one kind of park, with what it is for. A victim waits in it and is cancelled; afterwards the
    # place checks that nothing is lost and that it can still be used.
    class Place
      class << self
        # How often it is chosen: those that are slow less often.
        def weight = 10

        # Whether there is an IO that can be closed under the victim.
        def closable? = false

        # Whether it works in a reactor that was set by hand, and not only inside of tasks.
        def anywhere? = true
      end

      attr_reader :random

      # @param random [Random] the one of its round
      def initialize(random)
        @random = random
      end

      # In the reactor, before the victim starts.
      def prepare; end

      # In the victim. What is returned is the outcome.
      def wait = raise(NotImplementedError)

      # Makes the wait end well: in any thread, perhaps before it has begun, and perhaps more than once.
      def complete; end

      # In a reactor, after the victim has ended. Raises {Broken}.
      #
      # @param _exact [Boolean] whether the wait has either had its effect and returned or not had it: Fiber#raise and
      #   the like may come between the two, as under plain Ruby
      def check(_exact); end

      # What can be closed under the victim.
      def io = nil

      # Gives everything back, in whatever state it is.
      def close; end

      private

      def broken!(what) = raise(Broken, "#{self.class.name[/\w+\z/]}: #{what}")

      def expect(value, expected, what)
        value == expected or broken!("#{what}: #{value.inspect[0, 200]} instead of #{expected.inspect[0, 200]}")
      end
    end
  end
end
