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
      # Bytes of a part that the kernel sends from the file by itself: enough for its pace not to depend on us.
      PART = 1024 * 1024
      private_constant :PART

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

      # @return [Range, String, nil] bytes of the file, for the kernel if it can; nil at its end
      def next_piece
        left = @mapping.size - @position
        return if left.zero?

        first = @position
        return first...(@position += [PART, left].min) if by_kernel?

        piece = @mapping.get_chunk(first, [@http_chunks ? ChunkSize : room, left].min)
        @position += piece.bytesize
        piece
      end

      # Chunks have to be framed, and whoever has a `send_data` of its own is to see the bytes.
      def by_kernel?
        !@http_chunks && @connection.__sends_files? &&
          @connection.original_method(:send_data).owner.equal?(Connection.instance_method(:send_data).owner)
      end

      def send_piece(piece)
        return super unless piece.is_a?(Range)

        @mapping.send_part(@connection.signature, piece.begin, piece.size).positive?
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

      # Sends a file as fast as the other end takes it. Over a plain socket the kernel sends it (sendfile), and what is
      # sent of it counts as outbound data in parts of 1 MiB; should it become shorter meanwhile, the connection ends
      # with Errno::EIO.
      #
      # @param filename [String]
      # @param args [Hash] `http_chunks: true` to send it in chunks of HTTP, and what ends them
      # @return [FileStreamer]
      # @suspends while pieces are read
      def stream_file_data(filename, args = {}) = FileStreamer.new(self, filename, args)

      # Whether the kernel can send a file to it.
      #
      # @private
      def __sends_files? = EM.__sends_files?(@signature)
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
