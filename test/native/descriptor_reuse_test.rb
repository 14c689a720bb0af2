# frozen_string_literal: true

require "helper"
require "socket"
require "support/io_buffer"
require "support/scheduled"
require "tmpdir"

# A descriptor's number is given to somebody else as soon as it is closed, in the same turn of the loop: what was meant
# for the old one must not reach the new one.
class DescriptorReuseTest < Minitest::Test
  def test_a_read_of_a_closed_socket_takes_nothing_from_the_one_that_has_its_number_now
    scheduled do
      one, _one_peer = UNIXSocket.pair
      number = one.fileno
      result = nil
      parked { result = outcome { one.readpartial(10) } }
      one.close
      successor, peer = pair_with(number)
      peer.write("secret")
      wait_until { result }

      assert_kind_of IOError, result
      assert_equal "secret", successor.read_nonblock(10, exception: false)
    end
  end

  def test_a_write_to_a_closed_socket_puts_nothing_into_the_one_that_has_its_number_now
    scheduled do
      one, _one_peer = UNIXSocket.pair
      number = one.fileno
      result = nil
      parked { result = outcome { one.write("A" * 3_000_000) } }
      one.close
      _, peer = pair_with(number)
      wait_until { result }

      assert_kind_of IOError, result
      assert_equal :wait_readable, peer.read_nonblock(10, exception: false)
    end
  end

  def test_a_wait_for_a_closed_socket_does_not_see_the_one_that_has_its_number_now
    scheduled do
      one, _one_peer = UNIXSocket.pair
      number = one.fileno
      result = nil
      parked { result = outcome { one.wait_readable } }
      one.close
      _, peer = pair_with(number)
      peer.write("x")
      wait_until { result }

      assert_kind_of IOError, result
    end
  end

  # Ruby accepts by the number that the server had when it began to wait.
  def test_an_accept_of_a_closed_server_takes_no_client_of_the_one_that_has_its_number_now
    [0, 1, 2].each do |turns|
      scheduled do
        server = TCPServer.new("127.0.0.1", 0)
        number = server.fileno
        result = nil
        parked { result = outcome { server.accept } }
        client = connect_at_once(server)
        turns.times { sleep 0 }
        next client.close if result # it was accepted before it was closed

        server.close
        successor = server_with(number)
        its_client = connect_at_once(successor)
        wait_until { result }

        assert_kind_of IOError, result
        assert_equal its_client.local_address.ip_port, successor.accept_nonblock.remote_address.ip_port
      ensure
        [client, its_client, successor].each { |socket| socket&.close }
      end
    end
  end

  # A fiber that never waits gives others a turn now and then, in the middle of a write.
  def test_a_greedy_writer_does_not_write_to_the_file_that_has_the_number_now
    Dir.mktmpdir do |directory|
      scheduled do
        _reader, writer = IO.pipe
        writer.sync = true
        number = writer.fileno
        started = false
        files = nil
        closer = Fiber.schedule do
          sleep 0 until started
          writer.close
          files = open_until(number) { |n| File.open("#{directory}/#{n}", "w+") }
        end
        started = true
        result = outcome { 1000.times { writer.write("x") } }
        wait_until { !closer.alive? }

        assert_kind_of IOError, result
        assert_equal([0], files.map(&:size).uniq)
      end
    end
  end

  def test_a_greedy_reader_does_not_read_into_a_buffer_that_was_freed
    scheduled do
      buffer = IO::Buffer.new(1 << 20)
      started = false
      others = nil
      freer = Fiber.schedule do
        sleep 0 until started
        buffer.free
        others = Array.new(8) { IO::Buffer.new(1 << 20).tap { |other| other.set_string("important") } }
      end
      counts = File.open("/dev/zero") do |zeros|
        started = true # not before: opening suspends on Ruby 3.4
        Array.new(200) { buffer.read(zeros, 1, 0) }
      end
      wait_until { !freer.alive? }

      assert_operator counts.first, :>, 0
      assert_operator counts.last, :<, 0, "the buffer is gone, and that is an error"
      assert_equal(["important"], others.map { |other| other.get_string(0, 9) }.uniq)
    end
  end

  # As the pg gem does with the socket of its connection.
  def test_closing_another_io_that_does_not_own_the_descriptor_leaves_the_waits_alone
    scheduled do
      one, other = UNIXSocket.pair
      result = nil
      parked { result = outcome { one.readpartial(5) } }
      IO.for_fd(one.fileno, autoclose: false).close
      sleep 0.001 # the loop takes a turn, in which the wait could end
      other.write("hello")
      wait_until { result }

      assert_equal "hello", result
      refute_predicate one, :closed?
    end
  end

  private

  # @return [Array<UNIXSocket>] connected ones, of which the first has this number
  def pair_with(number)
    all = open_until(number) { UNIXSocket.pair }
    (@kept ||= []) << all
    all.last.partition { |socket| socket.fileno == number }.flatten
  end

  # @return [TCPServer] that has this number
  def server_with(number)
    (@kept ||= []) << (all = open_until(number) { TCPServer.new("127.0.0.1", 0) })
    all.last
  end

  # Without giving anybody else a turn.
  def connect_at_once(server)
    Socket.new(:INET, :STREAM).tap { |client| client.connect_nonblock(server.local_address, exception: false) }
  end

  # The lowest free number is the next one, and the garbage collector may have freed lower ones.
  #
  # @return [Array] everything that was opened
  def open_until(number)
    all = []
    loop do
      all << yield(all.size)
      return all if [all.last].flatten.any? { |io| io.fileno == number }

      flunk "number #{number} is not given away" if all.size > 100
    end
  end
end
