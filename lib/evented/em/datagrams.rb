# frozen_string_literal: true

module Evented
  # UDP.
  module EM
    class << self
      # Sends and receives datagrams.
      #
      # @param address [String] of this machine
      # @param port [Integer] 0 for any
      # @return [Connection] whose `receive_data` gets one datagram a call, at most 16383 bytes of it
      # @raise [RuntimeError] if that can't be had
      def open_datagram_socket(address, port, handler = nil, *arguments, &)
        klass = klass_from_handler(Connection, handler, *arguments)
        build(klass, open_udp_socket(address, Integer(port)), arguments, &)
      end

      # @return [Integer] the signature of a socket without an object
      def open_udp_socket(address, port)
        reactor!("evma_open_datagram_socket")
        target = addresses(address.to_s.empty? ? "0.0.0.0" : address, port, :DGRAM).first
        socket = Socket.new(target.afamily, :DGRAM)
        socket.setsockopt(:SOCKET, :REUSEADDR, true)
        socket.setsockopt(:SOCKET, :BROADCAST, true)
        socket.bind(target)
        __add(give_away(socket), :datagram, false, nil)
      rescue SystemCallError, SocketError
        socket&.close
        raise "no datagram socket"
      end

      # Sends a datagram.
      #
      # @return [Integer] bytes queued
      # @raise [EM::ConnectionError] if the address is bad, or it is no datagram socket
      def send_datagram(signature, data, size, address, port)
        return 0 if address.to_s.empty? || port.zero?

        to = addresses(address, port, :DGRAM).first.to_sockaddr
        __send_datagram(signature, data.byteslice(0, size), to) or raise ConnectionError, "error in sending datagram"
      rescue SocketError
        raise ConnectionError, "error in sending datagram"
      end
    end
  end
end
