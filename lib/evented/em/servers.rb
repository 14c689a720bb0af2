# frozen_string_literal: true

module Evented
  # Servers.
  module EM
    # Connections that may wait to be accepted: as many as the system allows. (EventMachine's 100 overflow in a burst, and
    # who is turned away tries again a second later.)
    BACKLOG = Socket::SOMAXCONN
    private_constant :BACKLOG

    class << self
      # Listens.
      #
      # @param server [String] an address or a name; "" is all of IPv4. Or the path of a unix socket
      # @param port [Integer, String, nil] 0 for any. What is no number is taken for the handler
      # @param handler [Class, Module, nil] see {klass_from_handler}
      # @yieldparam connection [Connection] each, after its `post_init`
      # @return [Integer] the server's signature
      # @raise [RuntimeError] if that can't be listened on
      def start_server(server, port = nil, handler = nil, *arguments, &block)
        begin
          port = Integer(port)
        rescue ArgumentError, TypeError
          # A path, and the handler stands where the port would.
          arguments.unshift(handler) if handler || !arguments.empty?
          handler = port
          port = nil
        end
        klass = klass_from_handler(Connection, handler, *arguments)
        signature = port ? start_tcp_server(server, port) : start_unix_server(server)
        @acceptors[signature] = [klass, arguments, block]
        signature
      end

      # As {start_server} with a path.
      def start_unix_domain_server(filename, *arguments, &) = start_server(filename, *arguments, &)

      # Accepts from a socket that listens already.
      #
      # @param sock [Socket, Integer] it stays open when the server stops
      def attach_server(sock, handler = nil, *arguments, &block)
        klass = klass_from_handler(Connection, handler, *arguments)
        io = sock.respond_to?(:fileno) ? sock : nil
        signature = attach_sd(io ? io.fileno : sock)
        @acceptors[signature] = [klass, arguments, block, io]
        signature
      end

      # Stops accepting; connections go on.
      #
      # @raise [RuntimeError] if there is no such server
      def stop_server(signature) = stop_tcp_server(signature)

      # @return [Integer] the signature of a server without a handler; see {start_server}
      def start_tcp_server(host, port)
        reactor!("evma_create_tcp_server")
        begin
          __add(give_away(tcp_server(host, port)), :server, false, nil)
        rescue SystemCallError, SocketError
          raise "no acceptor (port is in use or requires root privileges)"
        end
      end

      # @return [Integer] the signature of a server without a handler; see {start_server}
      def start_unix_server(path)
        reactor!("evma_create_unix_domain_server")
        File.unlink(path) if File.socket?(path)
        socket = Socket.new(:UNIX, :STREAM)
        socket.bind(Socket.pack_sockaddr_un(path))
        socket.listen(BACKLOG)
        __add(give_away(socket), :server, false, nil)
      rescue SystemCallError, ArgumentError
        socket&.close
        raise "no unix-domain acceptor"
      end

      # @private
      def attach_sd(descriptor)
        reactor!("evma_attach_sd")
        io = Socket.for_fd(descriptor)
        io.autoclose = false
        io.nonblock = true if io.respond_to?(:nonblock=)
        __add(descriptor, :borrowed_server, false, nil)
      end

      # @private
      def stop_tcp_server(signature)
        unless __transport(signature) == :server
          raise "failed to close nonexistent acceptor: #{signature} is no server, pass what start_server returned, once"
        end

        close_connection(signature, false)
      end

      private

      def tcp_server(host, port)
        address = addresses(host.to_s.empty? ? "0.0.0.0" : host, port).first
        socket = Socket.new(address.afamily, :STREAM)
        socket.setsockopt(:SOCKET, :REUSEADDR, true)
        # Connections inherit it.
        socket.setsockopt(:TCP, :NODELAY, true)
        socket.bind(address)
        socket.listen(BACKLOG)
        socket
      rescue SystemCallError
        socket&.close
        raise
      end

      # The addresses of a name, or the one that it is.
      #
      # @suspends if it has to be looked up
      def addresses(host, port, type = :STREAM)
        Addrinfo.getaddrinfo(host, port, nil, type, nil, Socket::AI_NUMERICHOST)
      rescue SocketError
        # Known without asking anybody; programs don't expect others to be called meanwhile.
        return Fiber.blocking { Addrinfo.getaddrinfo(host, port, nil, type) } if host == "localhost"

        Addrinfo.getaddrinfo(host, port, nil, type)
      end

      # The descriptor of a socket, which its object does not close any more.
      def give_away(socket)
        socket.autoclose = false
        socket.fileno
      end
    end
  end
end
