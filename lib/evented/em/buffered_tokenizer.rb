# frozen_string_literal: true

module Evented
  module EM
    # Cuts what comes in pieces into tokens. `::BufferedTokenizer` with `require "evented/eventmachine"`.
    class BufferedTokenizer
      # @param delimiter [String] between tokens
      # @param size_limit [Integer, nil] bytes that a token may have
      def initialize(delimiter = "\n", size_limit = nil)
        @delimiter = delimiter
        @size_limit = size_limit
        @input = []
        @size = 0
        @tail = +""
      end

      # @param data [String] the next piece
      # @return [Array<String>] the tokens that are complete now
      # @raise [RuntimeError] if one is longer than allowed
      def extract(data)
        check_size(data)
        # A delimiter may have come in two pieces: its first part stays at hand.
        text = @tail + data
        unless text.include?(@delimiter)
          keep(text)
          return []
        end

        @input << text
        tokens = @input.join.split(@delimiter, -1)
        @input.clear
        @size = 0
        @tail = +""
        keep(tokens.pop)
        tokens
      end

      # @return [String] what is left
      def flush
        rest = @input.join + @tail
        @input.clear
        @size = 0
        @tail = +""
        rest
      end

      # Whether there is nothing.
      def empty? = @input.empty? && @tail.empty?

      private

      def check_size(data)
        return unless @size_limit

        first = data.index(@delimiter) || data.bytesize
        raise "input buffer full" if @size + @tail.bytesize + first > @size_limit
      end

      def keep(text)
        split = [text.bytesize - (@delimiter.bytesize - 1), 0].max
        body = text.byteslice(0, split)
        @tail = text.byteslice(split..)
        return if body.empty?

        @input << body
        @size += body.bytesize
      end
    end
  end
end
