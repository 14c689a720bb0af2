# frozen_string_literal: true

require "socket"

module Soak
  # An echo server and an HTTP server, in a reactor of their own on another thread. The echo server writes down how much
  # of each connection has arrived, and cuts some of them off in the middle.
  class Servers
    HEADER = 8
    # One connection in so many is reset by the server.
    RESETS = 20

    attr_reader :echo_port, :http_port

    def initialize(books)
      @books = books
      @arrived = {}
      @lock = Thread::Mutex.new
      ready = Thread::Queue.new
      @stop = Thread::Queue.new
      @thread = Thread.new { Evented.run { serve(ready) } }
      ready.pop
    end

    # How many bytes have arrived over a connection that has ended, by the number it gave itself; nil if it never did.
    def take_arrived(number) = @lock.synchronize { @arrived.delete(number) }

    def close
      @stop << true
      @thread.join
    end

    private

    def serve(ready)
      echo = TCPServer.new("127.0.0.1", 0)
      http = TCPServer.new("127.0.0.1", 0)
      @echo_port, @http_port = [echo, http].map { |server| server.local_address.ip_port }
      acceptors = [
        Evented { accept(echo) { |socket| echo(socket) } },
        Evented { accept(http) { |socket| answer(socket) } }
      ]
      ready << true
      @stop.pop
      acceptors.each(&:cancel)
    ensure
      [echo, http].each { |server| server&.close }
    end

    def accept(server)
      loop do
        socket = server.accept
        Evented do
          yield socket
        rescue Errno::ECONNRESET, Errno::EPIPE, EOFError
          nil # the client has been cut short
        ensure
          socket.close
        end
      end
    end

    def echo(socket)
      number, = socket.read(HEADER)&.unpack("Q")
      return unless number

      reset_after = rand(RESETS).zero? ? rand(100_000) : nil
      count = 0
      loop do
        bytes = socket.readpartial(16_384)
        count += bytes.bytesize
        return reset(socket, number) if reset_after && count > reset_after

        socket.write(bytes)
      end
    rescue EOFError
      @lock.synchronize { @arrived[number] = count }
      socket.close_write
    end

    def reset(socket, number)
      socket.setsockopt(Socket::Option.linger(true, 0))
      @lock.synchronize { @arrived[number] = :reset }
    end

    # GET /FROM/COUNT and POST / of such bytes, over connections that stay open.
    def answer(socket)
      while (request = socket.gets)
        length = 0
        while (line = socket.gets) && line != "\r\n"
          length = line[/\d+/].to_i if line.match?(/\Acontent-length:/i)
        end
        body = length.zero? ? Books.bytes(*request.split[1].split("/")[1, 2].map(&:to_i)) : socket.read(length)
        break if body.nil? || (length.positive? && body.bytesize < length)

        socket.write("HTTP/1.1 200 OK\r\nContent-Length: #{body.bytesize}\r\n\r\n", body)
      end
    end
  end
end
