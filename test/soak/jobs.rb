# frozen_string_literal: true

require "net/http"
require "timeout"
require "tmpdir"

module Soak
  # What the workers do, again and again. A job may be interrupted anywhere, and settles its account all the same.
  module Jobs
    # Before what a task works with is closed.
    def self.stop(task)
      task&.cancel
      task&.wait
    rescue Evented::Cancel, Errno::EPIPE, Errno::ECONNRESET
      nil
    end

    # A connection to the echo server: all that has arrived there comes back, unchanged, however it is interrupted.
    class Echo
      @numbers = 0

      class << self
        def next_number = @numbers += 1
      end

      def initialize(books, servers:, **)
        @books = books
        @servers = servers
      end

      def run
        @number = Echo.next_number
        @received = +"".b
        @socket = TCPSocket.new("127.0.0.1", @servers.echo_port)
        @size = rand(1..(rand(8).zero? ? 300_000 : 20_000))
        @socket.write([@number].pack("Q"))
        @sender = Evented { send_in_pieces }
        read_all
        @sender.wait
      rescue Errno::ECONNRESET, Errno::EPIPE
        @books.fault("connection reset by the server", "the client heard of it")
        @reset = true
      ensure
        Evented.shield { settle } if @socket
      end

      private

      def send_in_pieces
        from = 0
        while from < @size
          piece = Books.bytes(from, [rand(1..40_000), @size - from].min)
          @socket.write(piece)
          from += piece.bytesize
        end
        @socket.close_write
      end

      def read_all
        loop { @received << @socket.readpartial(rand(1..50_000)) }
      rescue EOFError
        nil
      end

      # What was under way when it was interrupted still comes.
      def settle
        Jobs.stop(@sender)
        Timeout.timeout(30) do
          @socket.close_write unless @reset
          read_all unless @reset
        end
        @books.check(:echo, @received)
        account_for(arrived) unless @reset
      rescue Errno::ENOTCONN, Errno::ECONNRESET, Errno::EPIPE
        @books.check(:echo, @received)
        arrived
      rescue Timeout::Error
        @books.mismatch(:echo, "the end of a connection did not come")
      ensure
        @socket.close
      end

      def account_for(arrived)
        return if arrived == :reset

        @books.moved(:echo, sent: arrived || 0, received: @received.bytesize)
      end

      # The server has seen its end before we have.
      def arrived = @servers.take_arrived(@number)
    end

    # Some requests over a connection.
    class HTTP
      def initialize(books, servers:, **)
        @books = books
        @servers = servers
      end

      def run
        Net::HTTP.start("127.0.0.1", @servers.http_port) do |http|
          rand(1..4).times { rand < 0.7 ? get(http) : post(http) }
        end
      end

      private

      def get(http)
        from = rand(10_000)
        count = rand(1..60_000)
        settle(http.get("/#{from}/#{count}").body, from, count)
      end

      def post(http)
        from = rand(10_000)
        count = rand(1..60_000)
        settle(http.post("/", Books.bytes(from, count), "Content-Type" => "application/octet-stream").body, from, count)
      end

      def settle(body, from, count)
        @books.check(:http, body, from)
        @books.moved(:http, sent: count, received: body.bytesize)
      end
    end

    # A file that is written, read and removed.
    class Files
      def initialize(books, directory:, **)
        @books = books
        @directory = directory
      end

      def run
        path = File.join(@directory, object_id.to_s)
        count = rand(1..200_000)
        File.binwrite(path, Books.bytes(0, count))
        bytes = File.binread(path)
        @books.check(:files, bytes)
        @books.moved(:files, sent: count, received: bytes.bytesize)
        from = rand(count)
        piece = File.open(path, "rb") { |file| file.pread(count - from, from) }
        @books.check(:files, piece, from)
      ensure
        FileUtils.rm_f(path)
      end
    end

    # A process that gives back what it gets, and is killed if it is not waited for.
    class Processes
      def initialize(books, **)
        @books = books
      end

      def run
        count = rand(1..100_000)
        received = IO.popen("cat", "r+b") do |cat|
          ended = false
          sender = Evented { cat.write(Books.bytes(0, count)) && cat.close_write }
          bytes = cat.read
          sender.wait
          ended = true
          bytes
        ensure
          unless ended
            kill(cat)
            Evented.shield { Jobs.stop(sender) }
          end
        end
        @books.check(:processes, received)
        @books.moved(:processes, sent: count, received: received.bytesize)
      end

      private

      def kill(process)
        Process.kill(:KILL, process.pid)
        @books.fault("child process killed", "its end was waited for")
      end
    end

    # Time that passes: never too early, and what waits for it is told.
    class Timeouts
      def initialize(books, **)
        @books = books
      end

      def run
        seconds = rand * 0.02
        lasts(seconds) { sleep seconds }
        lasts(seconds) do
          Timeout.timeout(seconds) { Thread::Queue.new.pop }
        rescue Timeout::Error
          nil
        end
        lasts(seconds) { Thread::Queue.new.pop(timeout: seconds) }
      end

      private

      def lasts(seconds)
        started = now
        yield
        early = seconds - (now - started)
        @books.mismatch(:timeouts, "#{early} s too early") if early.positive?
      end

      def now = Process.clock_gettime(::Process::CLOCK_MONOTONIC)
    end

    # Rows of a table: what was committed is there, and nothing else.
    class Postgres
      def initialize(books, pool:, **)
        @books = books
        @pool = pool
      end

      def run
        @pool.with do |connection|
          count = rand(1..20_000)
          text = Books.bytes(0, count)
          got = connection.exec_params("SELECT $1::bytea", [{ value: text, format: 1 }], 1).getvalue(0, 0)
          @books.check(:postgres, got)
          @books.moved(:postgres, sent: count, received: got.bytesize)
          insert(connection, count)
        end
      rescue PG::ConnectionBad, PG::UnableToSend => e
        @books.fault("PostgreSQL backend terminated", e.class.name)
      end

      private

      def insert(connection, size)
        number = @pool.next_number
        @pool.begun(number, size)
        connection.exec_params("INSERT INTO soak VALUES ($1, repeat('x', $2::int))", [number, size])
        @pool.committed(number)
      end
    end

    KINDS = { Echo => 8, HTTP => 6, Files => 3, Processes => 1, Timeouts => 4, Postgres => 4 }.freeze
  end
end
