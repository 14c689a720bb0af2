# frozen_string_literal: true

module Evented
  module EM
    # Reading parts of a file, as the extension fastfilereaderext of EventMachine has it.
    module FastFileReader
      # A file that is open.
      class Mapper
        # @return [Integer] bytes of the file
        attr_reader :size

        # @param path [String]
        # @raise [SystemCallError] if it can't be read
        def initialize(path)
          @file = File.open(path, "rb")
          @size = @file.size
        end

        # @param offset [Integer] bytes from the beginning
        # @param length [Integer] bytes
        # @return [String]
        # @raise [RuntimeError] if that is not inside of the file
        def get_chunk(offset, length)
          if offset.negative? || length.negative? || offset + length > @size
            raise "mapper: range #{offset}+#{length} is not inside of the file (#{@size} bytes)"
          end

          length.zero? ? "" : @file.pread(length, offset)
        end

        # Closes the file.
        def close
          @file.close
          nil
        end
      end
    end
  end
end
