# frozen_string_literal: true

module Evented
  module EM
    # Sends a file to a connection: {Connection#stream_file_data}. Succeeds when all of it was handed over.
    class FileStreamer
      include Deferrable

      # Files up to this many bytes are sent in one piece.
      MappingThreshold = 16_384
      # With more bytes than this unsent it waits.
      BackpressureLevel = 50_000
      # Bytes sent at once.
      ChunkSize = 16_384
      # How often it looks then, in seconds.
      LOOK_AGAIN = 0.005
      private_constant :LOOK_AGAIN

      # @param connection [Connection]
      # @param filename [String]
      # @param args [Hash] `http_chunks: true` to send it in chunks of HTTP
      def initialize(connection, filename, args = {})
        @connection = connection
        @http_chunks = args[:http_chunks]
        if File.exist?(filename)
          @size = File.size(filename)
          @size <= MappingThreshold ? stream_without_mapping(filename) : stream_with_mapping(filename)
        else
          fail "file not found"
        end
      end

      # Sends as much as may be sent now.
      def stream_one_chunk
        loop do
          return give_up if @connection.error? == true
          return look_again if @connection.get_outbound_data_size > BackpressureLevel
          return finish if @position >= @size

          chunk = @mapping.get_chunk(@position, [ChunkSize, @size - @position].min)
          @position += chunk.bytesize
          send_chunk(chunk)
        end
      end

      private

      def stream_without_mapping(filename)
        data = File.binread(filename)
        @http_chunks ? send_chunk(data) : @connection.send_data(data)
        @connection.send_data("0\r\n\r\n") if @http_chunks
        succeed
      end

      def stream_with_mapping(filename)
        @position = 0
        @mapping = FastFileReader::Mapper.new(filename)
        stream_one_chunk
      end

      def send_chunk(chunk)
        @connection.send_data("#{chunk.bytesize.to_s(16)}\r\n") if @http_chunks
        @connection.send_data(chunk)
        @connection.send_data("\r\n") if @http_chunks
      end

      def look_again = EM.add_timer(LOOK_AGAIN) { stream_one_chunk }

      def finish
        @connection.send_data("0\r\n\r\n") if @http_chunks
        @mapping.close
        succeed
      end

      def give_up
        @mapping.close
        fail
      end
    end

    class Connection
      # Sends a file of at most 32 KiB.
      #
      # @param filename [String]
      # @return [Integer] bytes queued
      # @raise [RuntimeError] if it is larger
      # @raise [IOError] if it can't be read
      def send_file_data(filename) = EM.send_file_data(@signature, filename)

      # Sends a file as fast as the other end takes it.
      #
      # @param filename [String]
      # @param args [Hash] `http_chunks: true` to send it in chunks of HTTP
      # @return [FileStreamer]
      def stream_file_data(filename, args = {}) = FileStreamer.new(self, filename, args)
    end

    # The limit of {EM.send_file_data}, in bytes.
    SEND_FILE_LIMIT = 32 * 1024
    private_constant :SEND_FILE_LIMIT

    # As {Connection#send_file_data}, by signature.
    def self.send_file_data(signature, filename)
      if File.size(filename) > SEND_FILE_LIMIT
        raise "File too large.  send_file_data() supports files under 32k."
      end

      data = File.binread(filename)
      send_data(signature, data, data.bytesize)
    rescue SystemCallError => e
      raise IOError, ": #{filename} #{e.message.split(" @ ").first}"
    end
  end
end
