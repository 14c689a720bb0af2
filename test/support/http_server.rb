# frozen_string_literal: true

require "socket"

# A small HTTP server on threads of this process, for clients under test: it keeps connections open, counts them and
# answers "PATH by connection N". With a TLS context it speaks HTTPS. `/slow` is answered when `release` is called,
# `/in/0.2` after 0.2 seconds, and `/echo` with what was posted.
class HTTPServer
  def self.open(...)
    server = new(...)
    yield server
  ensure
    server&.close
  end

  attr_reader :port, :connections

  def initialize(context: nil)
    @context = context
    @listener = TCPServer.new("127.0.0.1", 0)
    @port = @listener.local_address.ip_port
    @connections = 0
    @slow = Queue.new
    @open = []
    @thread = Thread.new { accept }
  end

  # Lets one request for `/slow` have its answer.
  def release = @slow << true

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
    @open.each { |thread, io| [thread.kill, io.close] }
    @listener.close
  end

  private

  def accept
    loop do
      socket = @listener.accept
      number = (@connections += 1)
      @open << [Thread.new { serve(socket, number) }, socket]
    end
  end

  def serve(socket, number)
    Thread.current.report_on_exception = false
    if @context
      socket = OpenSSL::SSL::SSLSocket.new(socket, @context)
      socket.accept
    end
    while (request = socket.gets)
      length = 0
      while (line = socket.gets) && line != "\r\n"
        length = line[/\d+/].to_i if line.match?(/\Acontent-length:/i)
      end
      body = socket.read(length)
      path = request.split[1]
      @slow.pop if path == "/slow"
      sleep(Float(path[%r{\A/in/(.+)}, 1])) if path.start_with?("/in/")
      answer = path == "/echo" ? body : "#{path} by connection #{number}"
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: #{answer.bytesize}\r\n\r\n#{answer}")
    end
  end
end
