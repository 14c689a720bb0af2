# frozen_string_literal: true

module Evented
  module EM
    # Reading parts of a file, as EventMachine's extension fastfilereaderext has it.
    class FastFileReader
      # A file that is open.
      class Mapper
        # @return [Integer] bytes that it had when it was opened
        attr_reader :size

        # @param path [String]
        # @raise [SystemCallError] if it can't be read
        # @suspends while it is opened
        def initialize(path)
          @file = File.open(path, "rb")
          stat = @file.stat
          @size = stat.size
          return unless stat.directory?

          close
          raise Errno::EISDIR, path
        end

        # @param offset [Integer] bytes from the beginning
        # @param length [Integer] bytes
        # @return [String] binary
        # @raise [IOError] if that is not inside of the file, or it is closed
        # @suspends while it is read
        def get_chunk(offset, length)
          raise outside(offset, length) if offset.negative? || length.negative? || offset + length > @size
          return @file.pread(length, offset) if length.positive?

          String.new
        rescue EOFError
          raise outside(offset, length)
        end

        # Has a connection send part of the file without reading it.
        #
        # @private
        def send_part(signature, offset, length) = EM.__send_file(signature, @file.fileno, offset, length)

        # Closes the file.
        #
        # @return [nil]
        def close
          @file.close
          nil
        end

        private

        def outside(offset, length)
          IOError.new("#{length} bytes from #{offset} on are not in the file, which had #{@size} when it was opened")
        end
      end
    end
  end
end
