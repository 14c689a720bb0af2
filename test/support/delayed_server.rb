# frozen_string_literal: true

require "rbconfig"
require "socket"

# An HTTP server in a process of its own that answers every request after the same delay, as a remote service would.
#
#     DelayedServer.open(delay: 0.1) { |server| Net::HTTP.get(URI("#{server.url}/7")) }    # => "answer to /7\n"
#
# It must never be what a measurement waits for, and must owe nothing to the gem under test: one plain thread, no
# scheduler, `IO.select` over the connections whose request is still on its way. As all delays are equal, the answers
# that are due form a queue, and no timer is needed.
class DelayedServer
  # Every request of a burst has to find room: with Ruby's default, macOS would keep 128.
  BACKLOG = 4096

  def self.open(**)
    server = new(**)
    yield server
  ensure
    server&.close
  end

  # Where it listens: "http://127.0.0.1:PORT".
  attr_reader :url

  def initialize(delay:)
    # The server ends when its standard input does, so it can't outlive this process, however this process ends.
    # A bundle's RUBYOPT would only slow its start.
    @process = IO.popen([{ "RUBYOPT" => nil }, RbConfig.ruby, "--disable-gems", __FILE__, delay.to_s], "r+")
    port = @process.gets or raise "the delayed HTTP server did not start; run `ruby #{__FILE__} #{delay}` to see why"
    @url = "http://127.0.0.1:#{Integer(port)}"
  end

  def close
    @process.close
  end

  # The other process.
  module Loop
    module_function

    def run(delay)
      trap(:INT, "IGNORE") # Ctrl-C reaches the whole group; the end of the standard input is what counts
      # Ruby needs two descriptors beside one a connection; the usual soft limit of 1,024 is too few for a thousand.
      Process.setrlimit(:NOFILE, Process.getrlimit(:NOFILE).last)
      listener = TCPServer.new("127.0.0.1", 0)
      listener.listen(BACKLOG)
      $stdout.puts(listener.local_address.ip_port)
      $stdout.flush

      arriving = {} # connection => what has come of its request
      due = [] # [when, connection, answer], the earliest first
      loop do
        timeout = due.empty? ? nil : [due.first.first - now, 0].max
        readable, = IO.select([$stdin, listener, *arriving.keys], nil, nil, timeout)
        return if readable&.delete($stdin)

        accept(listener, arriving) if readable&.delete(listener)
        readable&.each { |connection| receive(connection, arriving, due, delay) }
        answer(*due.shift.drop(1)) while !due.empty? && due.first.first <= now
      end
    end

    def accept(listener, arriving)
      while (connection = listener.accept_nonblock(exception: false)) != :wait_readable
        arriving[connection] = +""
      end
    end

    def receive(connection, arriving, due, delay)
      request = arriving[connection] << connection.readpartial(4096)
      return unless request.end_with?("\r\n\r\n")

      arriving.delete(connection)
      due << [now + delay, connection, "answer to #{request[/\AGET (\S+)/, 1]}\n"]
    rescue EOFError, SystemCallError
      arriving.delete(connection)
      connection.close
    end

    def answer(connection, body)
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}")
    rescue SystemCallError
      nil # the client has gone away
    ensure
      connection.close
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
  private_constant :Loop

  Loop.run(Float(ARGV.fetch(0))) if $PROGRAM_NAME == __FILE__
end
