# frozen_string_literal: true

require "openssl"
require "socket"

# A server on threads of this process, in plain Ruby. A kind of it is a subclass with `serve(socket, number)`, which is
# called for each connection and counts them from 1. With a TLS context it speaks TLS from the start.
class ThreadedServer
  def self.open(...)
    server = new(...)
    yield server
  ensure
    server&.close
  end

  # [Integer] its port on 127.0.0.1, and how many connections there have been
  attr_reader :port, :connections

  # @param context [OpenSSL::SSL::SSLContext, nil]
  def initialize(context: nil)
    @context = context
    @listener = TCPServer.new("127.0.0.1", 0)
    @port = @listener.local_address.ip_port
    @connections = 0
    @open = []
    @thread = Thread.new { loop { take(@listener.accept) } }
  end

  # Closes the connections, as a server does that has waited too long.
  def hang_up
    @open.map(&:last).each do |socket|
      socket.shutdown
    rescue SystemCallError, IOError
      nil # the client has gone already
    end
  end

  def close
    @thread.kill.join
    @open.each { |thread, socket| [thread.kill.join, socket.close] }
    @listener.close
  end

  private

  def take(socket)
    socket.setsockopt(:TCP, :NODELAY, true)
    number = (@connections += 1)
    @open << [Thread.new { live(socket, number) }, socket]
  end

  def live(socket, number)
    own = secured(socket)
    serve(own, number)
    own.close
  rescue SystemCallError, IOError, OpenSSL::SSL::SSLError
    socket.close # the client has gone, or will have none of it
  end

  def secured(socket)
    return socket unless @context

    OpenSSL::SSL::SSLSocket.new(socket, @context).tap do |own|
      own.sync_close = true
      own.accept
    end
  end
end
