# frozen_string_literal: true

require_relative "../deferrable"
require_relative "line_text2"

module Evented
  module EM
    module Protocols
      # Makes one HTTP request. Deprecated, as in EventMachine: use em-http-request; or Net::HTTP, which lets other
      # connections go on here.
      #
      # @example
      #   http = EM::P::HttpClient.request(host: "example.com", port: 80, request: "/index.html")
      #   http.callback { |response| p response[:status], response[:headers], response[:content] }
      class HttpClient < Connection
        include Deferrable
        include LineText2

        # Bytes that can be posted.
        MaxPostContentLength = 20 * 1024 * 1024
        VERBS = %w[GET POST PUT DELETE HEAD].freeze
        private_constant :VERBS

        class << self
          # @param args [Hash] `host`, `port` (80), `verb` ("GET"), `request` (the path), `query_string`, `version`,
          #   `host_header`, `cookie`, `content` and `contenttype` for POST and PUT, `basic_auth`
          #   (`{username:, password:}`), `custom_headers` (a Hash), `ssl`
          # @return [HttpClient] a deferrable: succeeds with `{content: String, headers: Array<String>, status:
          #   Integer}`, the status line being the first of the headers; fails with `{status: 0}`
          # @raise [EM::ConnectionError] if there is no such host
          def request(args = {})
            args[:port] ||= 80
            EM.connect(args[:host], args[:port], self) { |client| client.instance_variable_set(:@args, args) }
          end

          # @private
          def warn_once
            return if @warned

            @warned = true
            warn("HttpClient is deprecated and will be removed. EM-Http-Request should be used instead.")
          end
        end

        def initialize
          super
          HttpClient.warn_once
        end

        # Nothing has come yet.
        def post_init
          @headers = []
          @size = 0
          @content = "".b
          @part = :header
        end

        # Sends the request.
        def connection_completed
          @connected = true
          start_tls if @args[:ssl]
          send_request(@args)
        end

        # @param args [Hash] as for {.request}
        # @raise [RuntimeError] if the content is longer than {MaxPostContentLength}
        def send_request(args)
          @verb = (args[:verb] || "GET").to_s.upcase
          return give_up unless VERBS.include?(@verb)

          content = body(args[:content]) if %w[POST PUT].include?(@verb)
          send_data("#{header(args, content).join("\r\n")}\r\n\r\n")
          send_data(content) if content
        end

        # @param line [String]
        def receive_line(line)
          case @part
          when :header then line.empty? ? end_of_header : receive_header_line(line)
          when :chunk then receive_chunk_size(line)
          when :trailer then dispatch_response if line.empty?
          end
        end

        # @param text [String] of the content
        def receive_binary_data(text)
          @content << text
        end

        # Of a content that is cut off, that is not called.
        def receive_end_of_binary_data
          dispatch_response if @part == :sized
        end

        # The response is complete.
        def dispatch_response
          return if @done

          @done = true
          close_connection
          set_deferred_status(:succeeded, { content: @content, headers: @headers, status: @status })
        end

        # @param violation [EM::Protocols::Violation]
        def receive_violation(violation)
          super
          give_up
        end

        # An answer without a length is complete now; any other has failed.
        def unbind
          super
          return if @done

          @part == :until_closed ? dispatch_response : give_up
        end

        private

        def give_up
          return if @done

          @done = true
          close_connection
          set_deferred_status(:failed, { status: 0 })
        end

        def body(content)
          content = content.is_a?(Array) ? content.join : content.to_s
          raise "oversized content in HTTP POST" if content.bytesize > MaxPostContentLength

          content
        end

        def header(args, content)
          query = args[:query_string].to_s
          query = "?#{query}" unless query.empty? || query.start_with?("?")
          port = ":#{args[:port]}" unless args[:port].to_i == 80
          lines = ["#{@verb} #{args[:request] || "/"}#{query} HTTP/#{args[:version] || "1.1"}",
                   "Host: #{args[:host_header] || args[:host]}#{port}", "User-agent: Ruby EventMachine"]
          lines << "Cookie: #{args[:cookie]}" if args[:cookie]
          (args[:custom_headers] || {}).each { |name, value| lines << "#{name}: #{value}" }
          if (auth = args[:basic_auth])
            lines << "Authorization: Basic #{["#{auth[:username]}:#{auth[:password]}"].pack("m0")}"
          end
          return lines unless content

          lines << "Content-type: #{args[:contenttype] || "application/octet-stream"}"
          lines << "Content-length: #{content.bytesize}"
        end

        def receive_header_line(line)
          @size += line.bytesize
          return limits_violate("the header is longer than #{max_line_length} bytes") if @size > max_line_length

          @headers << line
          parse_response_line if @headers.one?
        end

        def parse_response_line
          @status = @headers.first[%r{\AHTTP/1\.[01] (\d{3})}, 1]&.to_i or
            limits_violate("this is no answer of HTTP/1: #{@headers.first[0, 100].inspect}")
        end

        def end_of_header
          return if @headers.empty?
          return next_header if @status.between?(100, 199) && @status != 101

          length = @headers.filter_map { |line| line[/\Acontent-length:\s*(\d{1,18})\s*\z/i, 1] }.first&.to_i
          if @verb == "HEAD" || [204, 304].include?(@status) || length&.zero?
            dispatch_response
          elsif @headers.any?(/\Atransfer-encoding:.*\bchunked\s*\z/i)
            @part = :chunk
          else
            @part = length ? :sized : :until_closed
            set_text_mode(length)
          end
        end

        # "100 Continue" and the like are not the answer.
        def next_header
          @headers = []
          @status = nil
        end

        def receive_chunk_size(line)
          return if line.empty?

          size = line[/\A(\h{1,15})\s*(?:;|\z)/, 1]&.hex
          return limits_violate("this is no size of a chunk: #{line[0, 100].inspect}") unless size

          size.zero? ? @part = :trailer : set_text_mode(size)
        end
      end
    end
  end
end
