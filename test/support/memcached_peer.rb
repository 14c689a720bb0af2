# frozen_string_literal: true

require "socket"

# As much of memcached as a client needs, in plain Ruby: get, set, delete and version, over TCP.
class MemcachedPeer
  # @return [Integer]
  attr_reader :port

  # @return [Hash{String => String}]
  attr_reader :store

  # @return [Array<String>] the command lines that came
  attr_reader :commands

  def self.open
    peer = new
    yield peer
  ensure
    peer&.close
  end

  def initialize
    @server = TCPServer.new("127.0.0.1", 0)
    @port = @server.local_address.ip_port
    @store = {}
    @commands = []
    @sockets = []
    @acceptor = Thread.new { loop { serve(@server.accept) } }
    @acceptor.report_on_exception = false
  end

  # Has every client lose its connection.
  def hang_up = @sockets.each(&:close).clear

  def close
    @acceptor.kill
    @server.close
    hang_up
  end

  private

  def serve(socket)
    @sockets << socket
    Thread.new do
      while (line = socket.gets("\r\n", chomp: true))
        @commands << line
        socket.write(*answer(socket, *line.split).compact)
      end
    rescue IOError, SystemCallError
      # Hung up.
    end
  end

  def answer(socket, command, *words)
    case command
    when "get" then words.filter_map { |key| value(key) } << "END\r\n"
    when "set" then set(socket, *words)
    when "delete" then [@store.delete(words.first) ? "DELETED\r\n" : "NOT_FOUND\r\n"]
    when "version" then ["VERSION 1.6.0\r\n"]
    else ["ERROR\r\n"]
    end
  end

  def value(key)
    data = @store[key]
    data && ("VALUE #{key} 0 #{data.bytesize}\r\n".b << data << "\r\n")
  end

  def set(socket, key, _flags, _exptime, size, noreply = nil)
    data = socket.read(size.to_i)
    socket.read(2)
    return [noreply ? nil : "SERVER_ERROR object too large for cache\r\n"] if data.bytesize > 1024 * 1024

    @store[key] = data
    [noreply ? nil : "STORED\r\n"]
  end
end
