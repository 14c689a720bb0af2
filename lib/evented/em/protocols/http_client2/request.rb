# frozen_string_literal: true

module Evented
  module EM
    module Protocols
      class HttpClient2
        # A request, and what was answered.
        class Request
          include Deferrable

          ClenRE = /\AContent-length:\s*(\d+)/i
          ChunkedRE = /\ATransfer-encoding:\s*chunked/i
          ColonRE = /:\s*/
          HttpResponseRE = %r{\AHTTP/(1.[01]) (\d{3})}i
          # Answers without a content, whatever their header says.
          BARE = [204, 304].freeze
          private_constant :BARE

          # @return [String, nil] of HTTP: "1.1"
          attr_reader :version

          # @return [Integer, nil] 0 if the answer was none of HTTP/1
          attr_reader :status

          # @return [Array<String>] the status line and the headers, as they came
          attr_reader :header_lines

          # @return [Hash{String => Array<String>}] by name in lower case
          attr_reader :headers

          # @return [String, nil]
          attr_reader :content

          # @return [Symbol, nil] why it failed: `:unsupported_clen` if the length of the content isn't known,
          #   `:bad_request` if the answer was none of HTTP/1, `:bad_chunk` if a chunk was none
          attr_reader :internal_error

          # @param conn [HttpClient2]
          # @param args [Hash] as for {HttpClient2#request}
          def initialize(conn, args)
            @conn = conn
            @args = args
            @header_lines = []
            @headers = {}
            @size = 0
            @part = :header
          end

          # Sends it.
          def send_request
            content = @args[:content]&.to_s
            lines = ["#{@args[:verb]} #{@args[:uri]} HTTP/#{@args[:version] || "1.1"}", "Host: #{@args[:host_header]}"]
            lines << "Authorization: #{@args[:authorization]}" if @args[:authorization]
            if content
              lines << "Content-type: #{@args[:contenttype] || "application/octet-stream"}"
              lines << "Content-length: #{content.bytesize}"
            end
            @conn.send_data("#{lines.join("\r\n")}\r\n\r\n")
            @conn.send_data(content) if content
          end

          # @param ln [String]
          def receive_line(ln)
            case @part
            when :chunk then receive_chunk_header(ln)
            when :trailer then receive_chunk_trailer(ln)
            else receive_header_line(ln)
            end
          end

          # @param ln [String] the status line or a header; empty behind the last one
          def receive_header_line(ln)
            return @header_lines.empty? ? nil : process_header if ln.empty?

            @size += ln.bytesize
            @size > @conn.max_line_length ? refuse(:bad_request) : @header_lines << ln
          end

          # @param ln [String] the size of a chunk; empty behind a chunk
          def receive_chunk_header(ln)
            return if ln.empty?

            size = ln[/\A(\h{1,15})\s*(?:;|\z)/, 1]&.hex
            return refuse(:bad_chunk) unless size

            size.zero? ? @part = :trailer : @conn.set_text_mode(size)
          end

          # @param ln [String] a header behind the last chunk, which nobody gets to see; empty behind the last one
          def receive_chunk_trailer(ln)
            answered if ln.empty?
          end

          # @param text [String] of the content
          def receive_text(text)
            @part == :chunk ? receive_chunked_text(text) : receive_sized_text(text)
          end

          # @param text [String] the whole content
          def receive_sized_text(text)
            @content = text
            answered
          end

          # @param text [String] a chunk
          def receive_chunked_text(text)
            @content << text
          end

          private

          def process_header
            match = HttpResponseRE.match(@header_lines.first)
            @status = match ? match[2].to_i : 0
            return refuse(:bad_request) unless match
            return next_header if @status.between?(100, 199) && @status != 101

            @version = match[1]
            @header_lines.drop(1).each do |line|
              name, value = line.split(ColonRE, 2)
              (@headers[name.downcase] ||= []) << value if value
            end
            expect_content
          end

          # "100 Continue" and the like are not the answer.
          def next_header
            @header_lines = []
            @status = nil
          end

          def expect_content
            @content = "".b
            length = @header_lines.filter_map { |line| line[ClenRE, 1] }.first&.to_i
            if @args[:verb].to_s.casecmp?("HEAD") || BARE.include?(@status) || length&.zero?
              answered
            elsif @header_lines.any?(ChunkedRE)
              @part = :chunk
            elsif length
              @conn.set_text_mode(length)
            else
              @content = nil
              refuse(:unsupported_clen)
            end
          end

          def answered
            @conn.pop_request
            succeed(self)
          end

          # Nobody knows where the next answer would begin.
          def refuse(error)
            @internal_error = error
            @conn.__send__(:limits_violate, "an answer can't be read: #{error}")
          end
        end
      end
    end
  end
end
