# frozen_string_literal: true

module Evented
  module EM
    # Sends what an IO gives to a connection, as fast as that takes it.
    class IOStreamer
      include Deferrable

      # Bytes read at once.
      CHUNK_SIZE = 16_384
      # With more bytes than this unsent it waits.
      BACKPRESSURE_LEVEL = 50_000
      # How often it looks then, in seconds.
      LOOK_AGAIN = 0.005
      private_constant :BACKPRESSURE_LEVEL, :LOOK_AGAIN

      # @param connection [Connection]
      # @param io [#read]
      # @param opts [Hash] `http_chunks: true` to send it in chunks of HTTP
      def initialize(connection, io, opts = {})
        @connection = connection
        @io = io
        @http_chunks = opts[:http_chunks]
        @buff = String.new
        EM.next_tick { stream_one_chunk }
      end

      private

      def stream_one_chunk
        loop do
          return fail if @connection.error? == true
          return EM.add_timer(LOOK_AGAIN) { stream_one_chunk } if @connection.get_outbound_data_size > BACKPRESSURE_LEVEL
          return finish unless @io.read(CHUNK_SIZE, @buff)

          @connection.send_data("#{@buff.bytesize.to_s(16)}\r\n") if @http_chunks
          @connection.send_data(@buff)
          @connection.send_data("\r\n") if @http_chunks
        end
      end

      def finish
        @connection.send_data("0\r\n\r\n") if @http_chunks
        succeed
      end
    end
  end
end
