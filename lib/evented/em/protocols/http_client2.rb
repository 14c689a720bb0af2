# frozen_string_literal: true

require_relative "../deferrable"
require_relative "line_text2"

module Evented
  module EM
    module Protocols
      # HTTP requests over one connection, the next ones sent without waiting for the answers. Deprecated, as in
      # EventMachine: use em-http-request; or Net::HTTP, which lets other connections go on here.
      #
      # @example
      #   http = EM::P::HttpClient2.connect("example.com", 80)
      #   http.get("/index.html").callback { |request| p request.status, request.headers, request.content }
      class HttpClient2 < Connection
        include LineText2

        autoload :Request, "#{__dir__}/http_client2/request"

        class << self
          # @param args a host and a port; or a Hash with `host`, `port` and `ssl` (or `tls`)
          # @return [HttpClient2]
          # @raise [EM::ConnectionError] if there is no such host
          # @raise [ArgumentError] if it is something else
          def connect(*args)
            options = args.first.is_a?(Hash) ? args.first : args.size == 2 && { host: args[0], port: args[1] }
            raise ArgumentError, "connect takes a host and a port, or a Hash with them" unless options

            ssl = options[:ssl] || options[:tls]
            EM.connect(options[:host], options[:port], self) do |client|
              client.start_tls if ssl
              client.set_default_host_header(options[:host], options[:port], ssl)
            end
          end

          # @private
          def warn_once
            return if @warned

            @warned = true
            warn("HttpClient2 is deprecated and will be removed. EM-Http-Request should be used instead.")
          end
        end

        def initialize
          super
          HttpClient2.warn_once
          @authorization = nil
          @closed = nil
          @requests = []
        end

        # @param host [String]
        # @param port [Integer]
        # @param ssl [Boolean]
        def set_default_host_header(host, port, ssl)
          @host_header = if port == (ssl ? 443 : 80)
                           host
                         else
                           "#{host}:#{port}"
                         end
        end

        # Requests wait until there is a connection.
        def post_init
          super
          @connected = DefaultDeferrable.new
        end

        # Sends the requests that wait.
        def connection_completed
          super
          @connected.succeed
        end

        # @param args [Hash, String] a path; or `uri`, `version`, `host_header`, `authorization`, `contenttype`
        # @return [Request] a deferrable: succeeds with itself, fails with nothing, see {Request#internal_error}
        def get(args) = request_with(args, verb: "GET")

        # @param args (see #get), and `content`
        # @return (see #get)
        def post(args) = request_with(args, verb: "POST")

        # @param args (see #get), and `verb` ("GET")
        # @return (see #get)
        def request(args) = request_with(args)

        # @param ln [String]
        def receive_line(ln)
          return limits_violate("an answer came to no request: #{ln[0, 100].inspect}") if @requests.empty? && !ln.empty?

          @requests.last&.receive_line(ln)
        end

        # @param text [String]
        def receive_binary_data(text)
          # What is cut off by the end of the connection is no content.
          @requests.last&.receive_text(text) unless @closed
        end

        # The oldest request has been answered.
        #
        # @return [Request]
        def pop_request = @requests.pop

        # @param violation [EM::Protocols::Violation]
        def receive_violation(violation)
          fail_all
          super
        end

        # What was not answered has failed.
        def unbind
          @closed = true
          super
          fail_all
        end

        private

        def request_with(args, **forced)
          args = { uri: args } unless args.is_a?(Hash)
          args = { verb: "GET", host_header: @host_header, authorization: @authorization, **args, **forced }
          request = Request.new(self, args)
          if @closed
            request.set_deferred_status(:failed)
          else
            @requests.unshift(request)
            @connected.callback { request.send_request }
          end
          request
        end

        def fail_all
          @closed = true
          requests = @requests
          @requests = []
          requests.reverse_each { |request| request.set_deferred_status(:failed) }
        end
      end
    end
  end
end
