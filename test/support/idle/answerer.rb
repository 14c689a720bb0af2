# frozen_string_literal: true

# A minimal HTTP answerer on evented's EM: ruby answerer.rb COUNT
#
# Prints the port it listens on, and "all" once COUNT connections have been accepted. On SIGUSR1 it prints its memory:
# "RESIDENT OBJECTS" in bytes.

require "evented/eventmachine"
require "objspace"
require "socket"

class Answerer < EM::Connection
  RESPONSE = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!".b.freeze

  class << self
    attr_accessor :awaited
  end

  def post_init
    @buffer = String.new
    puts "all" if (Answerer.awaited -= 1).zero?
  end

  def receive_data(data)
    @buffer << data
    while (at = @buffer.index("\r\n\r\n"))
      @buffer.slice!(0, at + 4)
      send_data(RESPONSE)
    end
  end
end

$stdout.sync = true
trap(:USR1) do
  GC.start
  $stdout.syswrite("#{File.read("/proc/self/statm").split[1].to_i * 4096} #{ObjectSpace.memsize_of_all}\n")
end

count = Integer(ARGV.fetch(0))
Answerer.awaited = count
hard = Process.getrlimit(:NOFILE).last
Process.setrlimit(:NOFILE, count + 100, [hard, count + 100].max)
EM.run do
  server = EM.start_server("0.0.0.0", 0, Answerer)
  puts Socket.unpack_sockaddr_in(EM.get_sockname(server)).first
end
