# frozen_string_literal: true

require "socket"

# A server in a thread of its own, in plain Ruby: what it does with a connection, a block says.
#
#     ScriptedPeer.open(->(socket) { socket.write("hello") }) { |peer| connect(peer.port) }
class ScriptedPeer
  # @return [Integer]
  attr_reader :port

  # @return [Array<String>] what the blocks have pushed
  attr_reader :seen

  # @param scripts [Array<#call>] one for each connection, with the socket
  def self.open(*scripts)
    peer = new(scripts)
    yield peer
  ensure
    peer&.close
  end

  def initialize(scripts)
    @server = TCPServer.new("127.0.0.1", 0)
    @port = @server.local_address.ip_port
    @seen = Queue.new
    @sockets = []
    @thread = Thread.new { scripts.each { |script| serve(script) } }
  end

  # Ends it, and raises what a script raised.
  def close
    @server.close
    @sockets.each(&:close)
    @thread.join(5) || @thread.kill
  end

  private

  def serve(script)
    socket = @server.accept
    @sockets << socket
    @seen << script.call(socket)
    socket.close
  rescue IOError, SystemCallError
    # The other side has gone, or the test has ended.
  end
end
