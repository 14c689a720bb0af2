# frozen_string_literal: true

require_relative "limits"

module Evented
  module EM
    module Protocols
      # Cuts what comes into lines, and into pieces of text of a known length, as the program asks for in between. Works
      # in any class.
      #
      # @example
      #   module Server
      #     include EM::P::LineText2
      #
      #     def receive_line(line) = line =~ /\Alength: (\d+)/ && set_text_mode($1.to_i)
      #     def receive_binary_data(text) = puts("all of it: #{text}")
      #   end
      module LineText2
        include Limits

        # EventMachine's constant. Nothing but its value is used, see {Limits#max_line_length}.
        MaxBinaryLength = 32 * 1024 * 1024
        # A delimiter that a Regexp matches is found across two receives if it is not longer than this.
        LOOKBACK = 64
        private_constant :LOOKBACK

        # @param data [String] what has come
        def receive_data(data)
          return if data.nil? || data.empty? || limits_violated?

          @lt2_encoding = data.encoding
          data = data.b
          drops = @lt2_drops
          position = from = 0
          while position < data.bytesize && !limits_violated? && drops == @lt2_drops
            data, position, from = lt2_rejoin(data, position) if @lt2_held
            position = @lt2_mode == :text ? lt2_take_text(data, position) : lt2_take_line(data, position, from)
            from = position
          end
        end

        # What ends a line: "\n", before which a "\r" is taken away, unless this was called. In force for what follows,
        # from within {#receive_line} too.
        #
        # @param delim [Regexp, #to_s] a Regexp that depends on what follows its match (`/,+/`) depends on how the data
        #   happened to be cut
        # @return [Regexp, String]
        # @raise [ArgumentError] if it is empty
        def set_delimiter(delim)
          delimiter = delim.is_a?(Regexp) ? delim : delim.to_s
          raise ArgumentError, "an empty delimiter ends no line" if delimiter == ""

          @lt2_scanned = 0
          @lt2_needle = delimiter.is_a?(Regexp) ? delimiter : delimiter.b
          @lt2_delimiter = delimiter
        end

        # Back to lines. What was received of a line or a text, and not handed over, is forgotten.
        #
        # @param data [String, nil] what is to be received first: what a text without a length had too much of
        def set_line_mode(data = nil)
          @lt2_mode = :lines
          @lt2_held = @lt2_text = nil
          receive_data(data) if data
        end

        # Has the next bytes come to {#receive_binary_data}, whole, and lines again after them.
        #
        # @param size [Integer, nil] bytes; nil for all that comes until {#set_line_mode}, in pieces as they come
        # @raise [ArgumentError, TypeError] if that is no number
        def set_text_mode(size = nil)
          size &&= Integer(size)
          return set_line_mode if size && !size.positive?

          @lt2_mode = :text
          @lt2_size = size
          @lt2_text = nil
        end

        # @param (see #set_text_mode)
        # @raise (see #set_text_mode)
        def set_binary_mode(size = nil) = set_text_mode(size)

        # A text that is cut off by the end of the connection is handed over as far as it came, without
        # {#receive_end_of_binary_data}.
        def unbind
          text = @lt2_mode == :text && !limits_violated? ? lt2_rest : nil
          @lt2_mode = @lt2_held = @lt2_text = @limits_violated = nil
          receive_binary_data(text) unless text.nil? || text.empty?
        end

        # @param ln [String] a line, without what ends it
        def receive_line(ln); end

        # @param data [String] a text
        def receive_binary_data(data); end

        # A text of a known length is complete.
        def receive_end_of_binary_data; end

        private

        # What was kept of a line stands in front of what comes; of it, the last bytes may be half a delimiter.
        def lt2_rejoin(data, position)
          held = @lt2_held
          from = @lt2_scanned - (@lt2_needle.is_a?(Regexp) ? LOOKBACK : lt2_needle.bytesize - 1)
          @lt2_held = nil
          [held << (position.zero? ? data : data.byteslice(position..)), 0, from.negative? ? 0 : from]
        end

        def lt2_needle = @lt2_needle || "\n"

        def lt2_take_line(data, position, from)
          start, length = lt2_find(data, from)
          return lt2_hold(data, position) unless start

          line = data.byteslice(position, start - position)
          line.delete_suffix!("\r") if lt2_needle == "\n"
          return lt2_too_long if line.bytesize > max_line_length

          receive_line(line.force_encoding(@lt2_encoding))
          start + length
        end

        def lt2_find(data, from)
          needle = lt2_needle
          return (start = data.byteindex(needle, from)) && [start, needle.bytesize] if needle.is_a?(String)

          while (match = needle.match(data, from))
            return match.byteoffset(0).then { |first, last| [first, last - first] } unless match[0].empty?

            from = match.end(0) + 1
            return if from > data.bytesize
          end
        end

        def lt2_hold(data, position)
          @lt2_held = position.zero? ? data : data.byteslice(position..)
          @lt2_scanned = @lt2_held.bytesize
          # "\r" and all of the delimiter but its last byte may be behind the line.
          behind = @lt2_needle.is_a?(Regexp) ? LOOKBACK : lt2_needle.bytesize
          lt2_too_long if @lt2_scanned > max_line_length + behind
          data.bytesize
        end

        def lt2_too_long
          @lt2_held = nil
          limits_violate("a line is longer than #{max_line_length} bytes (max_line_length)")
          0
        end

        def lt2_take_text(data, position)
          wanted = @lt2_size ? @lt2_size - (@lt2_text&.bytesize || 0) : data.bytesize
          piece = data.byteslice(position, wanted)
          position += piece.bytesize
          piece = @lt2_text << piece if @lt2_text
          if @lt2_size.nil?
            receive_binary_data(piece.force_encoding(@lt2_encoding))
          elsif piece.bytesize < @lt2_size
            @lt2_text = piece
          else
            set_line_mode
            receive_binary_data(piece.force_encoding(@lt2_encoding))
            receive_end_of_binary_data
          end
          position
        end

        def lt2_rest = "#{@lt2_text}#{@lt2_held}".b.force_encoding(@lt2_encoding || Encoding::BINARY)

        # What has come after the line that is being handled is not to be taken.
        def lt2_drop
          @lt2_drops = (@lt2_drops || 0) + 1
          @lt2_held = @lt2_text = nil
        end
      end
    end
  end
end
