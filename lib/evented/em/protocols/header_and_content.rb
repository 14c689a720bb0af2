# frozen_string_literal: true

require_relative "line_text2"

module Evented
  module EM
    module Protocols
      # Requests that are some header lines, an empty line, and as much content as a `Content-length` among them says.
      #
      # A subclass may also have `receive_first_header_line(line)` and `receive_headers(lines)`, which are called before
      # the content has come.
      class HeaderAndContentProtocol < Connection
        include LineText2

        # What announces content.
        ContentLengthPattern = /Content-length:\s*(\d+)/i

        # @param hdrs [Array<String>] header lines
        # @return [Hash{Symbol => String}] `"Content-Length: 1"` is `{content_length: "1"}`; of a header that comes
        #   twice, the last
        def self.headers_2_hash(hdrs)
          hdrs.filter_map do |line|
            name, value = line.split(":", 2)
            [name.downcase.tr("-", "_").strip.to_sym, value.lstrip] if value && !name.strip.empty?
          end.to_h
        end

        def initialize(*)
          super
          init_for_request
        end

        # A request is complete; or as complete as it will ever be, if the connection ends within its content.
        #
        # @param headers [Array<String>] its header lines
        # @param content [String]
        def receive_request(headers, content); end

        # @param (see .headers_2_hash)
        # @return (see .headers_2_hash)
        def headers_2_hash(hdrs) = self.class.headers_2_hash(hdrs)

        # @param line [String]
        def receive_line(line)
          return receive_header(line) unless line.empty?
          return if @hc_headers.empty?

          receive_headers(@hc_headers) if respond_to?(:receive_headers)
          length = @hc_content_length.to_i
          if length > max_content_length
            limits_violate("#{length} bytes of content are announced, more than #{max_content_length} " \
                           "(max_content_length)")
          elsif length.positive?
            set_binary_mode(length)
          else
            dispatch_request
          end
        end

        # @param text [String] the content
        def receive_binary_data(text)
          @hc_content = text
          dispatch_request
        end

        private

        def receive_header(line)
          @hc_size += line.bytesize
          return limits_violate("the header is longer than #{max_line_length} bytes") if @hc_size > max_line_length

          receive_first_header_line(line) if @hc_headers.empty? && respond_to?(:receive_first_header_line)
          @hc_headers << line
          return unless (length = line[ContentLengthPattern, 1])
          return limits_violate("extraneous content-length header") if @hc_content_length

          @hc_content_length = length.to_i
        end

        def dispatch_request
          headers = @hc_headers
          content = @hc_content
          init_for_request
          receive_request(headers, content)
        end

        def init_for_request
          @hc_headers = []
          @hc_size = 0
          @hc_content_length = nil
          @hc_content = ""
        end
      end
    end
  end
end
