# frozen_string_literal: true

module Evented
  module EM
    module Protocols
      module Stomp
        # A frame.
        class Message
          # @return [String, nil]
          attr_accessor :command

          # @return [Hash{String => String}] of a header that comes twice, the last
          attr_accessor :header
          alias headers header

          # @return [String, nil]
          attr_accessor :body

          def initialize
            @header = {}
            @state = :command
            @content_length = nil
          end

          # Takes a line of a frame's header.
          #
          # @param line [String]
          # @yieldparam expected [Array] once that is complete, what comes next: `[:sized_text, bytes]`, with what ends
          #   the frame, or `[:unsized_text]`; 0 bytes for a length that is none
          def consume_line(line)
            if @state == :command
              return if line.strip.empty?

              @command = line
              @state = :header
            elsif @state == :header && line.empty?
              @state = :body
              yield(@content_length ? [:sized_text, @content_length + 1] : [:unsized_text])
            elsif @state == :header
              consume_header(line)
            end
          end

          private

          def consume_header(line)
            name, value = line.split(":", 2).map(&:strip)
            return if value.nil? || name.empty?

            # Always refused, and by those who know the limits.
            @content_length = value.match?(/\A\d{1,18}\z/) ? value.to_i : -1 if name == "content-length"
            @header[name] = value
          end
        end
      end
    end
  end
end
