# frozen_string_literal: true

module Evented
  module EM
    # Sends what an IO gives to a connection, as fast as that takes it. Succeeds when all of it was handed over; fails
    # with a message if the connection ends first, or with the error of an IO that can't be read. The IO stays open.
    class IOStreamer
      include Deferrable
      include Paced

      # Bytes read at once.
      CHUNK_SIZE = 16_384

      # @param connection [Connection]
      # @param io [#read]
      # @param opts [Hash] `http_chunks: true` to send it in chunks of HTTP, and what ends them
      # @suspends while the IO gives nothing
      def initialize(connection, io, opts = {})
        @connection = connection
        @io = io
        @http_chunks = opts[:http_chunks]
        @buffer = String.new
        pump
      end

      private

      def next_piece
        piece = @io.read(CHUNK_SIZE, @buffer)
        piece unless piece.nil? || piece.empty?
      end
    end
  end
end
