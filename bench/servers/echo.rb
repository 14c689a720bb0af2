# frozen_string_literal: true

require "socket"

# Sends back what comes: a fiber or thread a connection with plain `readpartial` and `write`, or EM's callbacks.
module Echo
  module_function

  def answer(socket)
    loop { socket.write(socket.readpartial(65_536)) }
  rescue EOFError, Errno::ECONNRESET, Errno::EPIPE
    socket.close
  end
end

Bench.servers(:echo) do
  floor "the same in C, a loop around epoll, or around io_uring"
  program("C epoll", family: "floor") { |port| [Bench::Commands.floor("epoll"), "echo", port.to_s] }
  program("C io_uring") { |port| [Bench::Commands.floor("uring", "uring"), "echo", port.to_s] }

  scheduler do |port|
    server = TCPServer.new("127.0.0.1", port)
    loop do
      socket = server.accept
      Fiber.schedule { Echo.answer(socket) }
    end
  end

  threads do |port|
    server = TCPServer.new("127.0.0.1", port)
    loop { Thread.new(server.accept) { |socket| Echo.answer(socket) } }
  end

  em do |port|
    echo = Class.new(EM::Connection) do
      def receive_data(data) = send_data(data)
    end
    EM.run { EM.start_server("127.0.0.1", port, echo) }
  end

  program("Node", needs: "node") { |port| ["node", "#{__dir__}/echo.js", port.to_s] }
  program("Go", needs: "go") { |port| [Bench::Commands.go("#{__dir__}/echo.go"), port.to_s] }
end
