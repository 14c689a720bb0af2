# frozen_string_literal: true

require "openssl"
require "socket"

# A server on threads of this process that answers each request head with what its block says: the bytes to send, in
# parts that are written one by one, or nil to hang up. It also hangs up when it is asked to and has said something.
#
#     ScriptedServer.open(->(head) { ["HTTP/1.1 200 OK\r\n", "Content-Length: 2\r\n\r\nok"] }) { |server| server.port }
class ScriptedServer
  def self.open(...)
    server = new(...)
    yield server
  ensure
    server&.close
  end

  # [Integer] its port on 127.0.0.1, and how many connections there have been
  attr_reader :port, :connections

  # @param answer [#call]
  # @param context [OpenSSL::SSL::SSLContext, nil] to speak TLS
  def initialize(answer, context: nil)
    @answer = answer
    @context = context
    @listener = TCPServer.new("127.0.0.1", 0)
    @port = @listener.local_address.ip_port
    @connections = 0
    @open = []
    @thread = Thread.new { accept }
  end

  def close
    @thread.kill.join
    @open.each { |thread, socket| [thread.kill.join, socket.close] }
    @listener.close
  end

  private

  def accept
    loop do
      socket = @listener.accept
      socket.setsockopt(:TCP, :NODELAY, true)
      @connections += 1
      @open << [Thread.new { serve(secure(socket)) }, socket]
    end
  end

  def serve(socket)
    while (head = socket&.gets("\r\n\r\n"))
      parts = @answer.call(head + socket.read(head[/^content-length: (\d+)/i, 1].to_i))
      break unless parts

      parts.each { |part| [socket.write(part), Thread.pass] }
      break if head.match?(/^connection: close/i) && parts.any?
    end
    socket&.close
  rescue SystemCallError, IOError, OpenSSL::SSL::SSLError
    # The client has gone.
  end

  def secure(socket)
    return socket unless @context

    OpenSSL::SSL::SSLSocket.new(socket, @context).tap do |secured|
      secured.sync_close = true
      secured.accept
    end
  rescue OpenSSL::SSL::SSLError, SystemCallError
    socket.close
    nil
  end
end
