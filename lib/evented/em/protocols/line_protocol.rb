# frozen_string_literal: true

require_relative "limits"

module Evented
  module EM
    module Protocols
      # Cuts what comes into lines. Works in any class.
      module LineProtocol
        include Limits

        # @param data [String] what has come
        def receive_data(data)
          return if limits_violated?

          (@buf ||= "".b) << data.b
          while (stop = @buf.byteindex("\n", @buf_searched || 0))
            line = @buf.byteslice(0, stop).delete_suffix("\r")
            return line_too_long if line.bytesize > max_line_length

            # Gone before it is handed over: who raises doesn't get it again.
            @buf = @buf.byteslice((stop + 1)..)
            @buf_searched = 0
            receive_line(line.force_encoding(data.encoding))
          end
          @buf_searched = @buf.bytesize
          line_too_long if @buf_searched > max_line_length + 1
        end

        # @param line [String] a line, without what ends it
        def receive_line(line); end

        private

        def line_too_long
          @buf = @buf_searched = nil
          limits_violate("a line is longer than #{max_line_length} bytes (max_line_length)")
        end
      end
    end
  end
end
