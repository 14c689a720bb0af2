# frozen_string_literal: true

require "socket"

# Stands between clients and a server and passes on what they say, on threads of this process, until it is told to hold
# back what the server says or to cut them off: a server that is slow, or hangs up, whichever server it is.
class Relay
  # [Integer] its port on 127.0.0.1
  attr_reader :port

  # @param server [Integer, String] the server's port on 127.0.0.1, or the path of its socket
  def initialize(server)
    @server = server
    @listener = TCPServer.new("127.0.0.1", 0)
    @port = @listener.local_address.ip_port
    @lock = Thread::Mutex.new
    @let_go = Thread::ConditionVariable.new
    @held = false
    @pairs = []
    @thread = Thread.new { loop { connect(@listener.accept) } }
    @thread.report_on_exception = false
  end

  # From now on nothing comes from the server.
  def hold = @lock.synchronize { @held = true }

  def release
    @lock.synchronize { @held = false }
    @let_go.broadcast
  end

  # The same for some time, of which all have the end in common who ask for it meanwhile.
  #
  # @param seconds [Numeric]
  def hold_for(seconds)
    @lock.synchronize do
      next if @held

      @held = true
      Thread.new { sleep(seconds) && release }
    end
  end

  # Ends all connections there are, as a server does that goes away.
  def cut
    @lock.synchronize { @pairs.each { |pair| pair.each { |socket| end_of(socket) } }.clear }
    release
  end

  def close
    @thread.kill.join
    @listener.close
    cut
  end

  private

  def connect(client)
    server = @server.is_a?(Integer) ? TCPSocket.new("127.0.0.1", @server) : UNIXSocket.new(@server)
    [client, server].grep(TCPSocket) { |socket| socket.setsockopt(:TCP, :NODELAY, true) }
    @lock.synchronize { @pairs << [client, server] }
    [Thread.new { pass(client, server) }, Thread.new { pass(server, client) { wait_while_held } }]
  rescue SystemCallError
    client.close
  end

  def pass(from, to)
    loop do
      bytes = from.readpartial(65_536)
      yield if block_given?
      to.write(bytes)
    end
  rescue IOError, SystemCallError
    end_of(to)
  end

  def end_of(socket)
    socket.shutdown
  rescue SystemCallError, IOError
    nil # it has ended already
  end

  def wait_while_held = @lock.synchronize { @let_go.wait(@lock) while @held }
end
