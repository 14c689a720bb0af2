# frozen_string_literal: true

module Evented
  module EM
    # Sending what is large in pieces, each when the one before has left. Who includes it has @connection and
    # @http_chunks, and says what comes next: `next_piece`.
    #
    # @private
    module Paced
      # With more bytes than this unsent it waits.
      LEVEL = 50_000
      # How long it waits before it looks again, in seconds: at first until the next pass, and longer each time.
      PAUSES = [0, 0, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032].freeze

      private

      # Sends as much as may be sent now.
      def pump
        loop do
          return give_up("the connection has ended") if @connection.error? == true
          return look_again if @connection.get_outbound_data_size.to_i > LEVEL

          @looked = 0
          piece = next_piece or return finish
          return give_up("the connection has ended") unless send_piece(piece)
        end
      rescue SystemCallError, IOError => e
        give_up(e)
      end

      # @return [Boolean] whether it was taken: a connection that is about to end takes nothing
      def send_piece(piece)
        return taken?(@connection.send_data(piece)) unless @http_chunks

        taken?(@connection.send_data("#{piece.bytesize.to_s(16)}\r\n")) && taken?(@connection.send_data(piece)) &&
          taken?(@connection.send_data("\r\n"))
      end

      # A connection may have a `send_data` of its own, which returns anything.
      def taken?(sent) = !(sent.is_a?(Integer) && sent <= 0)

      def look_again
        @looked = (@looked || 0) + 1
        EM.add_timer(PAUSES.fetch(@looked, PAUSES.last)) { pump }
      end

      def finish
        release
        @connection.send_data("0\r\n\r\n") if @http_chunks
        succeed
      end

      def give_up(reason)
        release
        fail(reason)
      end

      # Whatever is open is closed.
      def release; end
    end
    private_constant :Paced
  end
end
