# frozen_string_literal: true

module Evented
  module EM
    # What is to be called in the reactor's next pass. Any thread may add to it, and a signal handler: it takes no lock,
    # the GVL is enough for what it does with its arrays.
    #
    # @private
    class Ticks
      def initialize
        @waiting = []
        @results = []
        @share = 0
      end

      # @param callable [#call, nil] nil only has a pass be made
      def push(callable) = @waiting.push(callable)

      # What a deferred operation has come to; called before all ticks.
      def push_result(callable) = @results.push(callable)

      # Whether nothing is to be called.
      def empty? = @waiting.empty? && @results.empty?

      # Whether all that were to be called in this pass have been.
      def done? = @share.zero? && @results.empty?

      # Forgets all.
      def clear
        @waiting.clear
        @results.clear
        @share = 0
      end

      # Takes over what another has.
      def take(other)
        @waiting.concat(other.waiting)
        other.clear
      end

      # Calls one: of those that were there when the first of them was called.
      #
      # @return [Boolean] whether there is another one for this pass
      # @raise what it raises; the others are still to be called
      def call_one
        if (result = @results.shift)
          result.call
        else
          @share = @waiting.size if @share.zero?
          return false if @share.zero?

          @share -= 1
          @waiting.shift&.call
          return !@share.zero? || !@results.empty?
        end
        !empty?
      end

      protected

      attr_reader :waiting
    end
    private_constant :Ticks
  end
end
