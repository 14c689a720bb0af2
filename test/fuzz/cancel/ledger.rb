# frozen_string_literal: true

module Fuzz
  module Cancel
    # Every byte that is sent through a place tells where in the stream it stands, so that one that is lost, comes twice
    # or comes from somewhere else is seen.
    class Ledger
      # Bytes `from`, `from + 1` and so on of the stream.
      def self.bytes(from, count)
        first = from / 4
        words = [*first..((from + count) / 4)].pack("N*")
        words.byteslice(from - (first * 4), count)
      end

      attr_reader :sent

      def initialize
        @sent = 0
        @received = +"".b
      end

      # The next bytes to be sent; counted by {#was_sent}.
      def next_bytes(count) = Ledger.bytes(@sent, count)

      def was_sent(count) = @sent += count

      def received(bytes) = @received << bytes.b

      # @param rest [String] what lay there in the end
      # @param most_lost [Integer] how many bytes may have been taken by a wait that never returned
      # @return [String, nil] what is wrong
      def mistake(rest, most_lost)
        return "the stream has changed before byte #{@received.size}" unless whole?(@received, 0)

        lost = @sent - @received.bytesize - rest.bytesize
        return "#{-lost} bytes too many" if lost.negative?
        return "#{lost} bytes are missing" if lost > most_lost

        "the stream has changed after byte #{@received.size + lost}" unless whole?(rest, @received.bytesize + lost)
      end

      private

      def whole?(bytes, from) = bytes == Ledger.bytes(from, bytes.bytesize)
    end
  end
end
