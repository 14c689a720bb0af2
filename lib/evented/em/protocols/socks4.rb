# frozen_string_literal: true

require "socket"
require_relative "limits"

module Evented
  module EM
    module Protocols
      # A connection through a SOCKS 4 proxy: connect to the proxy, with a subclass of this. Its `post_init` is called
      # once the proxy has made the connection, and `receive_data` sees only what comes after that.
      #
      # @example
      #   EM.connect("proxy.example.com", 1080, MySubclass, "www.example.com", 80)
      class Socks4 < Connection
        include Limits

        # Stands before the callbacks of a connection, its singleton methods too, until the proxy has answered.
        module Handshake
          # Asks the proxy; later, the connection's own.
          def post_init = @socks_shaking ? socks_post_init : super

          # @param data [String]
          def receive_data(data) = @socks_shaking ? socks_receive_data(data) : super
        end
        private_constant :Handshake

        # What the proxy grants a request with.
        GRANTED = 90
        private_constant :GRANTED

        # @return [Integer, nil] what the proxy refused with: 91 to 93
        attr_reader :socks_error_code

        # @param host [String] a name, which is resolved here, or an IPv4 address
        # @param port [Integer]
        # @raise [SocketError] if there is no such host
        def initialize(host, port)
          super
          @host = Addrinfo.getaddrinfo(host, nil, :INET, :STREAM).first.to_sockaddr.byteslice(4, 4)
          @port = Integer(port)
          @socks_error_code = nil
          @buffer = "".b
          setup_methods
        end

        # Has the proxy's answer waited for.
        def setup_methods
          @socks_shaking = true
          singleton_class.prepend(Handshake)
        end

        # The proxy has answered.
        def restore_methods
          @socks_shaking = false
        end

        # Asks the proxy.
        def socks_post_init
          send_data([4, 1, @port].pack("CCn") << @host << "\0")
        end

        # @param data [String] from the proxy
        def socks_receive_data(data)
          return if limits_violated?

          @buffer << data.b
          return if @buffer.bytesize < 8

          answer = @buffer.slice!(0, 8)
          code = answer.getbyte(1)
          unless code == GRANTED
            @socks_error_code = code
            return limits_violate("the proxy refused, with code #{code}")
          end

          restore_methods
          post_init
          receive_data(@buffer) unless @buffer.empty?
        end
      end
    end
  end
end
