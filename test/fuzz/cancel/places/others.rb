# frozen_string_literal: true

require "tmpdir"

module Fuzz
  module Cancel
    # Connections, files, processes and names.
    module Others
      # `accept`: each client that has connected is accepted by somebody.
      class Accept < Place
        def self.closable? = true

        def prepare
          @server = TCPServer.new("127.0.0.1", 0)
          @port = @server.local_address.ip_port
          @accepted = []
          @clients = []
        end

        def wait = @accepted << @server.accept

        def complete
          return if @server.closed?

          client = ::Socket.new(:INET, :STREAM)
          client.connect_nonblock(::Socket.sockaddr_in(@port, "127.0.0.1"), exception: false)
          @clients << client
        rescue Errno::ECONNREFUSED
          client&.close
        end

        def check(exact)
          return if @server.closed?

          complete
          lost = @clients.size - @accepted.size
          lost -= 1 while (@accepted << @server.accept_nonblock(exception: false)).last.respond_to?(:fileno)
          @accepted.pop
          broken!("#{lost} clients have connected and nobody has accepted them") if lost > (exact ? 0 : 1)
        end

        def io = @server
        def close = [@server, *@clients, *@accepted].each { |io| io&.close }
      end

      # `connect`, to a server whose queue is full perhaps.
      class Connect < Place
        def self.weight = 5

        def prepare
          @server = TCPServer.new("127.0.0.1", 0)
          @port = @server.local_address.ip_port
          @fillers = []
          return if random.rand < 0.5

          @server.listen(0)
          2.times do
            @fillers << ::Socket.new(:INET, :STREAM)
            @fillers.last.connect_nonblock(::Socket.sockaddr_in(@port, "127.0.0.1"), exception: false)
          end
        end

        def wait = TCPSocket.new("127.0.0.1", @port).close

        def complete
          client = @server.closed? ? nil : @server.accept_nonblock(exception: false)
          client.close if client.respond_to?(:close)
        end

        def close = [@server, *@fillers].each(&:close)
      end

      # `Process.wait`: the child is reaped by somebody.
      class Child < Place
        def self.weight = 1

        def prepare
          input, @tell = IO.pipe(binmode: true)
          @pid = Process.spawn("cat", in: input)
        ensure
          input&.close
        end

        def wait
          Process.wait(@pid)
          @status = $?
        end

        def complete = @tell.close

        def check(exact)
          complete
          return if @status

          expect(Process.wait(@pid), @pid, "the child")
        rescue Errno::ECHILD
          broken!("the child was reaped and nobody has been told") if exact
        end

        def close
          @tell.close
          Process.wait(@pid)
        rescue Errno::ECHILD
          nil
        end
      end

      # The output of a command.
      class Command < Place
        def self.weight = 1

        def wait
          IO.popen(%w[echo its output], &:read).then { |output| expect(output, "its output\n", "a command's output") }
        end
      end

      # A name that has to be looked up.
      class Name < Place
        def self.weight = 3
        def wait = Addrinfo.getaddrinfo("localhost", 80, nil, :STREAM)
        def check(_exact) = expect(wait.empty?, false, "localhost")
      end

      # A file: read, written, and at a position.
      class Position < Place
        SIZE = 20_000

        def prepare
          @file = File.open(File.join(Dir.tmpdir, "evented-fuzz-#{$$}-#{object_id}"), "w+b")
          File.unlink(@file.path)
          @file.write(Ledger.bytes(0, SIZE))
          @file.flush
        end

        def wait
          from = random.rand(SIZE - 4000)
          case random.rand(4)
          when 0 then expect(@file.pread(4000, from), Ledger.bytes(from, 4000), "bytes of a file")
          when 1 then read_into_buffer(from)
          when 2 then @file.pwrite(Ledger.bytes(from, 4000), from)
          else write_from_buffer(from)
          end
        end

        def check(_exact)
          expect(@file.pread(SIZE, 0), Ledger.bytes(0, SIZE), "a file's bytes")
          return unless @buffer

          expect(@buffer.locked?, false, "a buffer is locked for good")
          expect(@buffer.get_string(0, 64) + @buffer.get_string(4064, 64), "\xAA".b * 128, "the memory around a buffer")
          @buffer.clear(0)
          sleep 0
          expect(@buffer.get_string, "\0".b * 4128, "a buffer that nobody reads into any more")
        end

        def close = @file&.close

        private

        def read_into_buffer(from)
          @buffer = IO::Buffer.new(4128).clear(0xAA)
          @buffer.slice(64, 4000).pread(@file, from)
          expect(@buffer.get_string(64, 4000), Ledger.bytes(from, 4000), "bytes of a file")
        end

        def write_from_buffer(from)
          buffer = IO::Buffer.new(4128)
          buffer.set_string(Ledger.bytes(from, 4000), 64)
          buffer.slice(64, 4000).pwrite(@file, from)
        end
      end
    end
  end
end
