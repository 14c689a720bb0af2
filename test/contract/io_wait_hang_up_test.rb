# frozen_string_literal: true

require "helper"
require "io/wait"
require "socket"
require "support/scheduled"

# `io_wait` when the other side is gone: a hang-up and an error wake whoever waits, in either direction.
class IoWaitHangUpTest < Minitest::Test
  READABLE = IO::READABLE
  WRITABLE = IO::WRITABLE

  def test_a_hang_up_wakes_who_wants_to_read
    scheduled do |scheduler|
      reader, writer = IO.pipe
      ready = nil
      parked { ready = scheduler.io_wait(reader, READABLE, nil) }
      writer.close
      wait_until { ready }

      assert_equal READABLE, ready
    end
  end

  def test_an_error_wakes_who_wants_to_write
    scheduled do |scheduler|
      reader, writer = IO.pipe
      fill(writer)
      ready = nil
      parked { ready = scheduler.io_wait(writer, WRITABLE, nil) }
      reader.close
      wait_until { ready }

      assert_equal WRITABLE, ready
      assert_raises(Errno::EPIPE) { writer.write_nonblock("x") }
    end
  end

  def test_a_peer_that_is_gone_wakes_both_directions
    scheduled do |scheduler|
      one, other = UNIXSocket.pair
      fill(one)
      ready = {}
      [READABLE, WRITABLE].each { |event| parked { ready[event] = scheduler.io_wait(one, event, nil) } }
      other.close
      wait_until { ready.size == 2 }

      assert_equal({ READABLE => READABLE, WRITABLE => WRITABLE }, ready)
    end
  end

  def test_a_refused_connection_wakes_who_waits_to_write
    scheduled do |scheduler|
      socket = Socket.new(:INET, :STREAM)
      address = unused_address
      begin
        socket.connect_nonblock(address)
      rescue IO::WaitWritable
        assert_equal WRITABLE, scheduler.io_wait(socket, WRITABLE, nil)
      rescue Errno::ECONNREFUSED
        next # the kernel knew at once
      end
      assert_raises(Errno::ECONNREFUSED) { socket.connect_nonblock(address) }
    end
  end

  private

  def fill(io)
    nil while io.write_nonblock("x" * 65_536, exception: false).is_a?(Integer)
  end

  def unused_address
    server = TCPServer.new("127.0.0.1", 0)
    server.local_address.to_sockaddr
  ensure
    server.close
  end
end
