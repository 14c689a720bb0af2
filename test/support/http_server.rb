# frozen_string_literal: true

require "support/threaded_server"

# A small HTTP server for clients under test: it keeps connections open and answers "PATH by connection N". `/slow` is
# answered when `release` is called, `/in/0.2` after 0.2 seconds, and `/echo` with what was posted.
class HTTPServer < ThreadedServer
  def initialize(**)
    @slow = Queue.new
    super
  end

  # Lets one request for `/slow` have its answer.
  def release = @slow << true

  private

  def serve(socket, number)
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
