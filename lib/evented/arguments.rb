# frozen_string_literal: true

module Evented
  # Whether numbers that callers give make sense. Each method says what it wants if they don't, and else returns them.
  #
  # @private
  module Arguments
    class << self
      # @param what [String] what the number is
      # @raise [TypeError, ArgumentError]
      # @threadsafe yes
      def integer(number, what, least: 1)
        raise TypeError, "#{what} has to be an Integer, not #{number.inspect}" unless number.is_a?(Integer)

        number(number, what, least: least)
      end

      # (see #integer)
      def seconds(number, what) = number(number, what, kind: "a number of seconds")

      # As {seconds}; nil is for as long as it takes.
      #
      # (see #integer)
      def timeout(seconds)
        seconds.nil? ? nil : number(seconds, "a timeout", kind: "a number of seconds, or nil for as long as it takes")
      end

      # (see #integer)
      def number(number, what, least: 0, kind: "a number")
        raise TypeError, "#{what} has to be #{kind}, not #{number.inspect}" unless number.is_a?(Numeric) && number.real?

        # (NaN is not, either.)
        raise ArgumentError, "#{what} has to be at least #{least}, not #{number}" unless number >= least

        number
      end
    end
  end
  private_constant :Arguments
end
