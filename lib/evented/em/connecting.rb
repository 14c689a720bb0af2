# frozen_string_literal: true

module Evented
  # Clients.
  module EM
    class << self
      # Connects. A name is looked up while others go on; its addresses are tried one after the other.
      #
      # @param server [String] an address or a name, or the path of a unix socket
      # @param port [Integer, String, nil]
      # @param handler [Class, Module, nil] see {klass_from_handler}
      # @yieldparam connection [Connection] after its `post_init`
      # @return [Connection] at once: `connection_completed` or `unbind` follows
      # @raise [EM::ConnectionError] if the name is unknown, or address or port can't be used
      # @suspends while a name is looked up
      def connect(server, port = nil, handler = nil, *arguments, &)
        begin
          port = Integer(port)
        rescue ArgumentError, TypeError
          # A path, and the handler stands where the port would.
          arguments.unshift(handler) if handler || !arguments.empty?
          return connect_unix_domain(server, *[port].compact, *arguments, &)
        end
        bind_connect(nil, nil, server, port, handler, *arguments, &)
      end

      # As {connect}, from an address of this machine.
      #
      # @param bind_addr [String, nil]
      # @param bind_port [Integer, nil] nil or 0 for any
      def bind_connect(bind_addr, bind_port, server, port = nil, handler = nil, *arguments, &)
        klass = klass_from_handler(Connection, handler, *arguments)
        signature = bind_connect_server(bind_addr, bind_port.to_i, server, port)
        build(klass, signature, arguments, &)
      end

      # Connects to a unix socket.
      #
      # @raise [RuntimeError] if nobody listens there
      def connect_unix_domain(socketname, handler = nil, *arguments, &)
        klass = klass_from_handler(Connection, handler, *arguments)
        signature = connect_unix_server(socketname)
        build(klass, signature, arguments, &)
      end

      # Makes a new connection of an object whose last one has ended: without `initialize`, `post_init` and block as at
      # first. If it has not ended, that is all.
      #
      # @param handler [#connection_completed]
      # @return the handler
      # @raise [RuntimeError] if it is no handler of connections
      def reconnect(server, port, handler)
        raise "invalid handler" unless handler.respond_to?(:connection_completed)
        return handler if @conns.key?(handler.signature)

        signature = port ? connect_server(server, port) : connect_unix_server(server)
        handler.signature = signature
        @conns[signature] = handler
        __own(signature, handler)
        yield handler if block_given?
        handler
      end

      # @return [Integer] the signature of a connection that is being made, without an object
      def connect_server(server, port) = bind_connect_server(nil, 0, server, port)

      # As {connect_server}, from an address of this machine.
      def bind_connect_server(bind_addr, bind_port, server, port)
        reactor!("evma_connect_to_server")
        raise ConnectionError, "invalid server or port" if server.nil? || port.nil? || Integer(port).zero?

        targets = resolve(server, port)
        from = bind_addr.nil? || bind_addr.to_s.empty? ? nil : bind_address(bind_addr, bind_port)
        targets = targets.select { |target| target.afamily == from.afamily } if from
        raise ConnectionError, "couldn't bind to address" if targets.empty?

        connect_to(targets, from)
      end

      # @return [Integer] the signature of a connection that is being made, without an object
      # @raise [RuntimeError] if nobody listens there
      def connect_unix_server(path)
        reactor!("evma_connect_to_unix_server")
        if path.bytesize > 107
          raise "unix-domain server name is too long: #{path.bytesize} bytes, and at most 107 will do"
        end


        socket = Socket.new(:UNIX, :STREAM)
        socket.connect(Socket.pack_sockaddr_un(path))
        __add(give_away(socket), :socket, true, nil)
      rescue SystemCallError
        socket&.close
        raise "no connection"
      end

      private

      def resolve(host, port, type = :STREAM)
        addresses(host, port, type)
      rescue SocketError => e
        raise ConnectionError, "unable to resolve address: #{e.message.sub(/\Agetaddrinfo(\(\d\))?: /, "")}"
      end

      def bind_address(host, port)
        addresses(host, port).first
      rescue SocketError => e
        raise ConnectionError, "invalid bind address: #{e.message.sub(/\Agetaddrinfo(\(\d\))?: /, "")}"
      end

      # Begins to connect to the first address that this can be begun with; the others follow if it fails.
      def connect_to(targets, from)
        errno = 0
        targets.each_with_index do |target, index|
          socket = client_socket(target.afamily, from)
          errno = begin_to_connect(socket, target)
          next socket.close if !errno.zero? && index < targets.size - 1

          signature = __add(give_away(socket), :socket, true, nil)
          __fail(signature, errno) unless errno.zero?
          __alternatives(signature, targets.drop(index + 1).map(&:to_sockaddr)) if errno.zero? && from.nil?
          return signature
        end
      end

      def client_socket(family, from)
        socket = Socket.new(family, :STREAM)
        socket.setsockopt(:SOCKET, :REUSEADDR, true)
        socket.setsockopt(:TCP, :NODELAY, true)
        socket.bind(from) if from
        socket
      rescue SystemCallError => e
        raise ConnectionError, "couldn't bind to address" if socket

        raise ConnectionError, "unable to create new socket: #{e.message}"
      end

      # @return [Integer] 0, or an errno
      def begin_to_connect(socket, target)
        socket.connect_nonblock(target.to_sockaddr, exception: false)
        0
      rescue SystemCallError => e
        e.errno
      end
    end
  end
end
