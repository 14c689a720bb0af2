# frozen_string_literal: true

module Evented
  module EM
    # Sends a file to a connection as fast as that takes it: {Connection#stream_file_data}. Succeeds when all of it was
    # handed over; fails with "file not found", with the SystemCallError of a file that can't be read, or with a message
    # if the connection ends first.
    class FileStreamer
      include Deferrable
      include Paced

      # A file of more bytes than this is sent in pieces.
      MappingThreshold = 16_384
      # With more bytes than this unsent it waits.
      BackpressureLevel = Paced::LEVEL
      # Bytes of a piece.
      ChunkSize = 16_384

      # @param connection [Connection]
      # @param filename [String]
      # @param args [Hash] `http_chunks: true` to send it in chunks of HTTP, and what ends them
      def initialize(connection, filename, args = {})
        @connection = connection
        @http_chunks = args[:http_chunks]
        @position = 0
        @mapping = FastFileReader::Mapper.new(filename)
        pump
      rescue Errno::ENOENT
        fail("file not found")
      rescue SystemCallError => e
        give_up(e)
      end

      # Sends as much as may be sent now. It does so by itself.
      def stream_one_chunk = pump

      private

      def next_piece
        size = [@http_chunks ? ChunkSize : room, @mapping.size - @position].min
        return if size.zero?

        piece = @mapping.get_chunk(@position, size)
        @position += piece.bytesize
        piece
      end

      # As much as pieces would make until it waits, read at once.
      def room = BackpressureLevel + ChunkSize - @connection.get_outbound_data_size.to_i

      def release = @mapping&.close
    end

    class Connection # rubocop:disable Style/Documentation
      # Sends a file of at most 32 KiB.
      #
      # @param filename [String]
      # @return [0]
      # @raise [RuntimeError] if it is larger
      # @raise [IOError] if it can't be read
      # @suspends while it is read
      def send_file_data(filename) = EM.send_file_data(@signature, filename)

      # Sends a file as fast as the other end takes it.
      #
      # @param filename [String]
      # @param args [Hash] `http_chunks: true` to send it in chunks of HTTP, and what ends them
      # @return [FileStreamer]
      # @suspends while pieces are read
      def stream_file_data(filename, args = {}) = FileStreamer.new(self, filename, args)
    end

    # The limit of {EM.send_file_data}, in bytes.
    SEND_FILE_LIMIT = 32 * 1024
    private_constant :SEND_FILE_LIMIT

    # As {Connection#send_file_data}, by signature.
    #
    # @param signature [Integer]
    # @param filename [String]
    # @return (see Connection#send_file_data)
    # @raise (see Connection#send_file_data)
    # @suspends while it is read
    def self.send_file_data(signature, filename)
      raise "File too large.  send_file_data() supports files under 32k." if File.size(filename) > SEND_FILE_LIMIT

      data = File.binread(filename)
      send_data(signature, data, data.bytesize)
      0
    rescue SystemCallError => e
      raise IOError, ": #{filename} #{e.message.split(" @ ").first}"
    end
  end
end
