# frozen_string_literal: true

# A minimal HTTP answerer with keep-alive, as one writes it for EventMachine: ruby answerer.rb LIBRARY POLLER [COUNT]
#
# LIBRARY is "eventmachine" or "evented/eventmachine", POLLER "epoll" or "default". Prints the port it listens on, and
# "all" once COUNT connections have been accepted. On SIGUSR1 it prints its memory: "RESIDENT OBJECTS" in bytes.

require "objspace"
require "socket"

library, poller, count = ARGV
require library
abort "#{EM} is not what was asked for" unless library == "eventmachine" || EM.equal?(Evented::EM)

class Answerer < EM::Connection
  RESPONSE = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!".b.freeze

  def post_init
    @buffer = String.new
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
trap(:TERM) { exit! }

if count
  wanted = $left = count.to_i
  # Tells when all have come.
  Answerer.prepend(Module.new do
    def post_init
      super
      puts "all" if ($left -= 1).zero?
    end
  end)
  hard = Process.getrlimit(:NOFILE).last
  Process.setrlimit(:NOFILE, wanted + 100, [hard, wanted + 100].max)
  EM.set_descriptor_table_size(wanted + 100)
end
EM.epoll if poller == "epoll"
EM.run do
  server = EM.start_server("0.0.0.0", 0, Answerer)
  puts Socket.unpack_sockaddr_in(EM.get_sockname(server)).first
end
