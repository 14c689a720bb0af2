# frozen_string_literal: true

require "openssl"
require "socket"

# A server on threads of this process that answers line by line, in plain Ruby: what, its block says, from the line and
# the lines that came before it; nil for nothing. With a TLS context it speaks TLS from the start.
#
#     LineServer.new { |line| line.upcase }
class LineServer
  # [Integer] its port on 127.0.0.1
  attr_reader :port

  # @param greeting [String, nil] the first line, if the server speaks first
  # @param context [OpenSSL::SSL::SSLContext, nil]
  # @yieldparam line [String]
  # @yieldparam state [Hash] what the block wants to remember of a connection
  # @yieldreturn [String, nil]
  def initialize(greeting: nil, context: nil, &answer)
    @greeting = greeting
    @context = context
    @answer = answer
    @listener = TCPServer.new("127.0.0.1", 0)
    @port = @listener.local_address.ip_port
    @open = []
    @thread = Thread.new { loop { take(@listener.accept) } }
  end

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
    @open << [Thread.new { serve(secured(socket)) }, socket]
  end

  # At once: who writes line by line would wait for it each time.
  def acknowledge(socket)
    socket.setsockopt(:TCP, :QUICKACK, true) if Socket.const_defined?(:TCP_QUICKACK)
  end

  def secured(socket)
    return socket unless @context

    OpenSSL::SSL::SSLSocket.new(socket, @context).tap do |own|
      own.sync_close = true
      own.accept
    end
  end

  def serve(socket)
    state = {}
    socket.puts(@greeting) if @greeting
    while (line = socket.gets)
      acknowledge(socket.to_io)
      answer = @answer.call(line.chomp, state)
      socket.write("#{answer}\r\n") if answer
    end
    socket.close
  rescue SystemCallError, IOError, OpenSSL::SSL::SSLError
    nil # the client has gone
  end
end
