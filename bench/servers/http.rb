# frozen_string_literal: true

require "rbconfig"
require "socket"

# A minimal HTTP answerer with keep-alive, as each library's users write it: a fiber or thread a connection with plain
# `readpartial` and `write`, or EM's callbacks. Puma and thin are more than that: servers for Rack.
module HTTPAnswerer
  HEAD_END = "\r\n\r\n"
  RESPONSE = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!".b.freeze

  module_function

  def answer(socket)
    buffer = String.new
    loop do
      buffer << socket.readpartial(4096)
      while (at = buffer.index(HEAD_END))
        buffer.slice!(0, at + 4)
        socket.write(RESPONSE)
      end
    end
  rescue EOFError, Errno::ECONNRESET, Errno::EPIPE
    socket.close
  end
end

Bench.servers(:http) do
  floor "the same in C, a loop around epoll, or around io_uring"
  program("C epoll", family: "floor") { |port| [Bench::Commands.floor("epoll"), "http", port.to_s] }
  program("C io_uring", family: "C io_uring") { |port| [Bench::Commands.floor("uring", "uring"), "http", port.to_s] }

  scheduler do |port|
    server = TCPServer.new("127.0.0.1", port)
    loop do
      socket = server.accept
      Fiber.schedule { HTTPAnswerer.answer(socket) }
    end
  end

  threads do |port|
    server = TCPServer.new("127.0.0.1", port)
    loop { Thread.new(server.accept) { |socket| HTTPAnswerer.answer(socket) } }
  end

  em do |port|
    answerer = Class.new(EM::Connection) do
      def post_init
        @buffer = String.new
      end

      def receive_data(data)
        @buffer << data
        while (at = @buffer.index(HTTPAnswerer::HEAD_END))
          @buffer.slice!(0, at + 4)
          send_data(HTTPAnswerer::RESPONSE)
        end
      end
    end
    EM.run { EM.start_server("127.0.0.1", port, answerer) }
  end

  program("Node", needs: "node") { |port| ["node", "#{__dir__}/http.js", port.to_s] }
  program("Go", needs: "go") { |port| [Bench::Commands.go("#{__dir__}/http.go"), port.to_s] }
  program("Puma", needs: "puma") do |port|
    ["puma", "--quiet", "--environment", "production", "--threads", "16:16", "--bind", "tcp://127.0.0.1:#{port}",
     "#{__dir__}/hello.ru"]
  end
  thin = lambda do |port, *options|
    path = ENV.fetch("PATH").split(":").map { |directory| "#{directory}/thin" }.find { |file| File.executable?(file) }
    [RbConfig.ruby, *options, path, "--quiet", "--address", "127.0.0.1", "--port", port.to_s, "--max-conns", "8192",
     "--max-persistent-conns", "8192", "--rackup", "#{__dir__}/hello.ru", "--environment", "production", "start"]
  end
  program("thin", needs: "thin") { |port| thin.call(port) }
  root = File.expand_path("../..", __dir__)
  program("thin on evented", needs: "thin") do |port|
    thin.call(port, "-I#{root}/lib", "-I#{root}/compat/eventmachine/lib")
  end
end
