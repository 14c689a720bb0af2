# frozen_string_literal: true

module Fuzz
  module Cancel
    # Places where bytes are read: all that were sent have either been returned or still lie there.
    class Reading < Place
      MOST = 700
      def self.closable? = true

      def prepare
        @ledger = Ledger.new
        @reader, @writer = ends
        @size = random.rand(1..MOST)
      end

      def wait
        bytes = read || ""
        @ledger.received(bytes)
        bytes.bytesize
      end

      def complete
        return if @writer.closed?

        bytes = @ledger.next_bytes(random.rand(1..MOST))
        count = @writer.write_nonblock(bytes, exception: false)
        @ledger.was_sent(count) if count.is_a?(Integer)
      rescue Errno::EPIPE, Errno::ECONNRESET
        nil # the other end was closed under the victim
      end

      def check(exact)
        complete
        return if @reader.closed?

        look_at_memory
        mistake = @ledger.mistake(rest, exact ? 0 : MOST)
        broken!("#{mistake}#{" (exact)" if exact}") if mistake
      end

      def io = @reader
      def close = [@reader, @writer].each { |io| io&.close }

      private

      def ends = random.rand < 0.8 ? UNIXSocket.pair : tcp_pair

      # What has been read before must not change when more arrives.
      def look_at_memory; end

      def rest
        rest = +"".b
        while (bytes = @reader.read_nonblock(65_536, exception: false)) && bytes != :wait_readable
          rest << bytes
        end
        rest
      end

      def tcp_pair
        server = TCPServer.new("127.0.0.1", 0)
        client = TCPSocket.new("127.0.0.1", server.local_address.ip_port)
        [server.accept, client]
      ensure
        server&.close
      end
    end

    # The ways to read.
    module Readers
      # `readpartial` of a socket.
      class Socket < Reading
        private

        def read = @reader.readpartial(@size)
      end

      # `readpartial` into a String that lives on, of which nobody else may be the owner.
      class SocketIntoString < Reading
        private

        def read
          @string = +""
          @reader.readpartial(@size, @string).dup
        end

        def look_at_memory
          return unless @string

          before = @string.dup
          others = Array.new(4) { "." * @size }
          2.times { complete }
          sleep 0
          expect(@string, before, "a String that nobody reads into any more")
          others.each { |other| expect(other.count("."), other.size, "other people's memory") }
        end
      end

      # `IO::Buffer#read` into the middle of a buffer: the memory around it stays as it is.
      class SocketIntoBuffer < Reading
        AROUND = 64

        private

        def read
          @buffer = IO::Buffer.new((2 * AROUND) + @size).clear(0xAA)
          middle = @buffer.slice(AROUND, @size)
          middle.get_string(0, middle.read(@reader, random.rand(2)))
        end

        def look_at_memory
          return unless @buffer

          expect(@buffer.locked?, false, "a buffer is locked for good")
          around = @buffer.get_string(0, AROUND) + @buffer.get_string(AROUND + @size)
          expect(around, "\xAA".b * AROUND * 2, "the memory around the one that was read into")
          before = @buffer.get_string
          2.times { complete }
          sleep 0
          expect(@buffer.get_string, before, "a buffer that nobody reads into any more")
        end
      end

      # `recv` of a socket.
      class Receive < Reading
        private

        def read = @reader.recv(@size)
      end

      # `gets`: several waits in one, and what it had read when it was interrupted is gone, as under plain Ruby.
      class Line < Reading
        def check(_exact) = super(false)

        private

        def read = @reader.gets("\n", @size)
      end

      # `read` of so many bytes: the same.
      class ExactlySoMany < Reading
        def check(_exact) = super(false)

        private

        def read = @reader.read(@size)
      end

      # A pipe.
      class Pipe < Reading
        private

        def ends = IO.pipe(binmode: true)
        def read = @reader.readpartial(@size)
      end

      # `sysread` of a pipe.
      class PipeSysread < Reading
        private

        def ends = IO.pipe(binmode: true)
        def read = @reader.sysread(@size)
      end

      # Waiting until it is readable, then reading without waiting.
      class Readable < Reading
        private

        def read
          @reader.wait_readable(random.rand < 0.5 ? nil : 60)
          bytes = @reader.read_nonblock(@size, exception: false)
          bytes.is_a?(String) ? bytes : ""
        end
      end

      # `IO.select` over several.
      class Select < Reading
        def prepare
          super
          @idle = Array.new(random.rand(3)) { UNIXSocket.pair }
        end

        def close
          super
          @idle&.flatten&.each(&:close)
        end

        private

        def read
          IO.select([*@idle.map(&:first), @reader], [], [], random.rand < 0.5 ? nil : 60)
          bytes = @reader.read_nonblock(@size, exception: false)
          bytes.is_a?(String) ? bytes : ""
        end
      end

      # A datagram.
      class Datagram < Reading
        def complete
          return if @writer.closed?

          bytes = @ledger.next_bytes(random.rand(1..MOST))
          @ledger.was_sent(@writer.send(bytes, 0))
        rescue Errno::ECONNREFUSED, Errno::ECONNRESET, Errno::EPIPE, Errno::ENOTCONN
          nil # the other end was closed under the victim
        end

        private

        def ends = UNIXSocket.pair(:DGRAM)
        def read = @reader.recvfrom(MOST).first
      end
    end
  end
end
