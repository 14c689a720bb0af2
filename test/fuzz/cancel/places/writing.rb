# frozen_string_literal: true

module Fuzz
  module Cancel
    # Places where bytes are written: the other end gets the beginning of what was written, unchanged, and then what
    # is written next.
    module Writers
      # `write` of more than fits into a socket.
      class Socket < Place
        SIZE = 400_000
        def self.closable? = true

        def prepare
          @writer, @reader = ends
          @written = Ledger.bytes(0, SIZE)
          @received = +"".b
        end

        def wait = write
        def complete = receive

        def check(_exact)
          receive until @reader.closed? || receive.zero?
          return if @writer.closed?

          expect(@received, Ledger.bytes(0, @received.bytesize), "what was written")
          before = @received.bytesize
          @writer.syswrite("next")
          receive until @received.bytesize >= before + 4
          expect(@received.byteslice(before..), "next", "what was written next")
        end

        def io = @writer
        def close = [@reader, @writer].each { |io| io&.close }

        private

        def ends = UNIXSocket.pair
        def write = @writer.write(@written)

        def receive
          bytes = @reader.read_nonblock(random.rand(1..150_000), exception: false)
          return 0 unless bytes.is_a?(String)

          @received << bytes
          bytes.bytesize
        end
      end

      # The same into a pipe.
      class Pipe < Socket
        private

        def ends = IO.pipe(binmode: true).reverse
      end

      # `IO::Buffer#write` from the middle of a buffer, whose memory is written over as soon as that is allowed.
      class FromBuffer < Socket
        def check(_exact)
          @buffer&.clear(0xEE)
          super
        end

        private

        def write
          @buffer = IO::Buffer.new(SIZE + 64)
          @buffer.set_string(@written, 64)
          @buffer.write(@writer, SIZE, 64)
        end
      end

      # `send` on a socket.
      class Send < Socket
        private

        def write = @writer.send(@written, 0)
      end

      # Waiting until it is writable.
      class Writable < Socket
        def prepare
          super
          @sent = 0
          fill
        end

        private

        def write = @writer.wait_writable(random.rand < 0.5 ? nil : 60)

        def fill
          while (count = @writer.write_nonblock(Ledger.bytes(@sent, 65_536), exception: false)) != :wait_writable
            @sent += count
          end
        end
      end
    end
  end
end
