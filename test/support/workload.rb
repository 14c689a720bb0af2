# frozen_string_literal: true

require "evented"
require "evented/eventmachine"
require "socket"
require "tempfile"
require "timeout"

# Some of everything that a reactor does: who can do all of this is well. Needs no Minitest, for scripts use it too.
module Workload
  PARTS = {
    echo: lambda do
      server = TCPServer.new("127.0.0.1", 0)
      answering = Evented { 3.times { server.accept.then { |peer| Evented { peer.write(peer.read) && peer.close } } } }
      got = Array.new(3) { |n| Evented { ask(server.local_address.ip_port, n.to_s * 100_000) } }.map(&:value)
      answering.wait
      server.close
      got == Array.new(3) { |n| n.to_s * 100_000 }
    end,
    pipe: lambda do
      reader, writer = IO.pipe
      writing = Evented { writer.write("p" * 300_000) && writer.close }
      got = reader.read
      writing.wait
      reader.close
      got == "p" * 300_000
    end,
    file: -> { Tempfile.create { |file| file.write("f" * 10_000) && file.flush && File.size(file.path) == 10_000 } },
    process: -> { `printf done` == "done" && system("exit 3") == false && $?.exitstatus == 3 },
    sleeping: -> { Array.new(20) { |n| Evented { sleep(n * 0.0005) && n } }.map(&:value) == [*0...20] },
    queue: lambda do
      queue = Queue.new
      taking = Evented { Array.new(50) { queue.pop } }
      50.times { |n| (queue << n) && (sleep(0) if (n % 7).zero?) }
      taking.value == [*0...50]
    end,
    mutex: lambda do
      mutex = Mutex.new
      count = 0
      add = -> { mutex.synchronize { count.then { |was| sleep(0) && (count = was + 1) } } }
      Array.new(10) { Evented { add.call } }.each(&:wait)
      count == 10
    end,
    timeout: lambda do
      Timeout.timeout(0.001) { sleep } && false
    rescue Timeout::Error
      true
    end,
    select: -> { IO.pipe.then { |r, w| Evented { w << "x" } && IO.select([r], nil, nil, 5) == [[r], [], []] } },
    cancelling: lambda do
      task = Evented { sleep }
      task.cancel
      task.ended
      task.status == :cancelled
    end,
    threads: -> { Array.new(3) { |n| Thread.new { sleep(0.001) && n } }.sum(&:value) == 3 },
    resolving: -> { Addrinfo.tcp("localhost", 80).ip_port == 80 },
    offloading: -> { Evented.offload { [*1..100].sum } == 5050 }
  }.freeze

  class << self
    # Does everything at once, in a reactor of its own or inside of the one that runs; outside of one, streams as well.
    #
    # @return [Array<Symbol>] the parts that went wrong
    def run
      wrong = Evented.run do
        PARTS.transform_values { |part| Evented { part.call } }.reject { |_, task| task.value }.keys
      end
      return wrong if Fiber.scheduler || streams?

      wrong << :streams
    end

    private

    def ask(port, text)
      TCPSocket.open("127.0.0.1", port) do |socket|
        socket.write(text)
        socket.close_write
        socket.read
      end
    end

    def streams?
      got = +""
      EM.run do
        server = EM.start_server("127.0.0.1", 0, Echo)
        EM.connect("127.0.0.1", Socket.unpack_sockaddr_in(EM.get_sockname(server)).first, Asker, got)
        EM.add_timer(20) { EM.stop }
      end
      got == "s" * 100_000
    end
  end

  # Sends back what comes.
  class Echo < EM::Connection
    def receive_data(data) = send_data(data)
  end

  # Sends something, and stops the reactor once it is back.
  class Asker < EM::Connection
    def initialize(got)
      super()
      @got = got
    end

    def post_init = send_data("s" * 100_000)

    def receive_data(data)
      EM.stop if (@got << data).size == 100_000
    end
  end
end
