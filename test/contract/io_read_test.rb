# frozen_string_literal: true

require "delegate"
require "helper"
require "socket"
require "support/io_buffer"
require "support/scheduled"
require "tempfile"

class IoReadTest < Minitest::Test
  def test_a_fiber_waits_for_what_a_socket_brings
    scheduled do
      one, other = UNIXSocket.pair
      got = nil
      parked { got = one.readpartial(100) }
      other.write("hello")
      wait_until { got }

      assert_equal "hello", got
    end
  end

  def test_a_fiber_waits_for_what_a_pipe_brings
    scheduled do
      reader, writer = IO.pipe
      got = nil
      parked { got = reader.readpartial(100) }
      writer.write("hello")
      wait_until { got }

      assert_equal "hello", got
    end
  end

  def test_sysread_waits_too
    [IO.pipe, UNIXSocket.pair].each do |reader, writer|
      scheduled do
        got = nil
        Fiber.schedule { got = outcome { reader.sysread(100) } }
        writer.write("hello")
        wait_until { got }

        assert_equal "hello", got
      end
    end
  end

  def test_lines_and_exact_lengths_come_together_from_small_pieces
    [IO.pipe, UNIXSocket.pair].each do |reader, writer|
      got = scheduled do
        Fiber.schedule { "one\ntwo\nthree".each_char { |char| writer.write(char) && sleep(0) } && writer.close }
        [reader.gets, reader.read(3), reader.getc, reader.read]
      end

      assert_equal %W[one\n two \n three], got
    end
  end

  def test_the_end_of_a_stream
    [IO.pipe, UNIXSocket.pair].each do |reader, writer|
      scheduled do
        result = :none
        parked { result = outcome { reader.readpartial(1) } }
        writer.close
        wait_until { result != :none }

        assert_instance_of EOFError, result
        assert_equal "", reader.read
      end
    end
  end

  def test_a_lot
    text = "0123456789" * 200_000
    [IO.pipe, UNIXSocket.pair].each do |reader, writer|
      got = scheduled do
        Fiber.schedule { writer.write(text) && writer.close }
        reader.read
      end

      assert_equal text.hash, got.hash
    end
  end

  def test_regular_files
    scheduled do
      assert_equal File.binread(__FILE__), File.open(__FILE__, "rb") { |file| file.read(1) + file.read }
      assert_equal "frozen_string_literal: true\n", File.foreach(__FILE__).first.delete_prefix("# ")
    end
  end

  def test_reading_without_waiting_does_not_wait
    [IO.pipe, UNIXSocket.pair].each do |reader, writer|
      scheduled do
        assert_raises(IO::EAGAINWaitReadable) { reader.read_nonblock(1) }
        assert_equal :wait_readable, reader.read_nonblock(1, exception: false)

        writer.write("x")
        assert_equal "x", reader.read_nonblock(100)
      end
    end
  end

  def test_the_timeout_of_an_io_ends_a_read
    [IO.pipe, UNIXSocket.pair].each do |reader, writer|
      in_company do
        reader.timeout = 0.001
        # Ruby 3.3 makes the old errno of it when a hook says that a wait for a pipe has timed out.
        expected = RUBY_VERSION < "3.4" && !reader.is_a?(BasicSocket) ? Errno::EAGAIN : IO::TimeoutError
        assert_raises(expected) { reader.readpartial(1) }

        writer.write("x")
        assert_equal "x", reader.readpartial(1)
      end
    end
  end

  # IO::Buffer hands on what it was given: a Tempfile, for instance, is no IO itself.
  def test_what_only_stands_for_an_io_has_the_timeout_of_that_io
    [IO.pipe, UNIXSocket.pair].each do |reader, writer|
      in_company do |scheduler|
        reader.timeout = 0.001
        stand_in = SimpleDelegator.new(reader)
        assert_raises(IO::TimeoutError) { IO::Buffer.new(5).read(stand_in, 5) }
        assert_same false, scheduler.io_wait(stand_in, IO::READABLE, nil)

        writer.write("hello")
        buffer = IO::Buffer.new(5)
        assert_equal 5, buffer.read(stand_in, 5)
        assert_equal "hello", buffer.get_string
      end
    end
  end

  def test_what_has_only_a_descriptor_is_read_without_a_timeout
    reader, writer = IO.pipe
    descriptor = Struct.new(:fileno).new(reader.fileno)
    scheduled do
      buffer = IO::Buffer.new(5)
      parked { buffer.read(descriptor, 5) }
      writer.write("hello")
      wait_until { buffer.get_string == "hello" }
    end
  end

  def test_what_arrives_after_a_timeout_is_not_lost
    one, other = UNIXSocket.pair
    scheduled do
      one.timeout = 0.001
      5.times do |n|
        assert_raises(IO::TimeoutError) { one.readpartial(10) }
        other.write(n.to_s)
        assert_equal n.to_s, one.readpartial(10)
      end
    end
  end

  def test_two_fibers_read_from_one_socket
    scheduled do
      one, other = UNIXSocket.pair
      got = []
      fibers = Array.new(2) { parked { got << one.readpartial(1) } }
      other.write("ab")
      wait_until { fibers.none?(&:alive?) }

      assert_equal %w[a b], got.sort
    end
  end

  def test_a_connection_that_is_reset
    scheduled do
      server = TCPServer.new("127.0.0.1", 0)
      client = TCPSocket.new("127.0.0.1", server.local_address.ip_port)
      result = nil
      parked { result = outcome { client.readpartial(1) } }
      server.accept.tap { |peer| peer.setsockopt(Socket::Option.linger(true, 0)) }.close
      wait_until { result }

      assert_instance_of Errno::ECONNRESET, result
    end
  end

  def test_a_pipe_that_has_nothing_is_not_waited_for_in_the_hook
    reader, = @pipe = IO.pipe
    scheduled { |scheduler| assert_equal(-Errno::EAGAIN::Errno, scheduler.io_read(reader, IO::Buffer.new(10), 0, 0)) }
  end

  def test_with_a_length_the_hook_waits_for_that_much
    [IO.pipe, UNIXSocket.pair].each do |reader, writer|
      scheduled do |scheduler|
        buffer = IO::Buffer.new(10)
        count = nil
        parked { count = scheduler.io_read(reader, buffer, 4, 1) }
        writer.write("ab")
        3.times { sleep 0 }
        assert_nil count

        writer.write("cd")
        wait_until { count }
        assert_equal [4, "\0abcd"], [count, buffer.get_string(0, 5)]
      end
    end
  end

  def test_the_end_comes_before_the_length
    one, other = UNIXSocket.pair
    scheduled do |scheduler|
      other.write("ab")
      other.close

      assert_equal 2, scheduler.io_read(one, IO::Buffer.new(10), 4, 0)
      assert_equal 0, scheduler.io_read(one, IO::Buffer.new(10), 4, 0)
    end
  end

  def test_the_buffer_is_locked_while_the_kernel_may_write_to_it
    scheduled do |scheduler|
      one, other = UNIXSocket.pair
      buffer = IO::Buffer.new(10)
      fiber = parked { scheduler.io_read(one, buffer, 1, 0) }
      assert_predicate buffer, :locked?
      assert_raises(IO::Buffer::LockedError) { buffer.free }

      other.write("x")
      wait_until { !fiber.alive? }
      refute_predicate buffer, :locked?
    end
  end

  def test_errors_come_back_as_negative_numbers
    _, writer = @pipe = IO.pipe
    in_company do |scheduler|
      assert_equal(-Errno::EBADF::Errno, scheduler.io_read(writer, IO::Buffer.new(10), 1, 0))
      File.open(__dir__) { |dir| assert_equal(-Errno::EISDIR::Errno, scheduler.io_read(dir, IO::Buffer.new(9), 1, 0)) }
    end
  end

  def test_bad_input_is_refused
    reader, = @pipe = IO.pipe
    buffer = IO::Buffer.new(10)
    in_company do |scheduler|
      assert_equal(-Errno::EINVAL::Errno, scheduler.io_read(reader, buffer, 0, 11))
      assert_equal(-Errno::EINVAL::Errno, scheduler.io_read(reader, buffer, 6, 5))
      assert_raises(ArgumentError) { scheduler.io_read(reader, buffer, -1, 0) }
      assert_raises(ArgumentError) { scheduler.io_read(reader, buffer, 0, -1) }
      assert_raises(TypeError) { scheduler.io_read(reader, buffer, "1", 0) }
      assert_raises(TypeError) { scheduler.io_read(reader, "no buffer", 1, 0) }
      assert_raises(TypeError) { scheduler.io_read("no io", buffer, 1, 0) }
      assert_raises(IOError) { scheduler.io_read(reader.dup.tap(&:close), buffer, 1, 0) }
      assert_raises(IO::Buffer::AccessError) { scheduler.io_read(reader, IO::Buffer.for("frozen"), 1, 0) }
    end
  end

  # Ruby 4.1 calls io_read(io, buffer, offset, length): one transfer of at most `length` bytes.
  def test_the_shape_of_ruby_4_1_reads_at_most_the_length
    [IO.pipe, UNIXSocket.pair].each do |reader, writer|
      scheduled do |scheduler|
        writer.write("abcdef")
        buffer = IO::Buffer.new(10)

        assert_equal 4, scheduler.__io_read_most(reader, buffer, 1, 4)
        assert_equal "\0abcd\0", buffer.get_string(0, 6)
        assert_equal 2, scheduler.__io_read_most(reader, buffer, 0, 10)
      end
    end
  end

  def test_the_shape_of_ruby_4_1_does_nothing_for_a_length_of_zero
    reader, = @pipe = IO.pipe
    scheduled { |scheduler| assert_equal 0, scheduler.__io_read_most(reader, IO::Buffer.new(10), 0, 0) }
  end

  def test_the_shape_of_ruby_4_1_waits_on_sockets
    scheduled do |scheduler|
      one, other = UNIXSocket.pair
      count = nil
      parked { count = scheduler.__io_read_most(one, IO::Buffer.new(10), 0, 10) }
      other.write("abc")
      wait_until { count }

      assert_equal 3, count
    end
  end

  def test_the_shape_of_ruby_4_1_answers_eagain_on_pipes
    reader, = @pipe = IO.pipe
    scheduled do |scheduler|
      assert_equal(-Errno::EAGAIN::Errno, scheduler.__io_read_most(reader, IO::Buffer.new(10), 0, 10))
    end
  end

  def test_the_shape_of_ruby_4_1_refuses_an_offset_outside_of_the_buffer
    reader, = @pipe = IO.pipe
    scheduled do |scheduler|
      assert_equal(-Errno::EINVAL::Errno, scheduler.__io_read_most(reader, IO::Buffer.new(10), 11, 1))
    end
  end
end
