# frozen_string_literal: true

require "helper"
require "io/console"
require "io/wait"
require "pty"
require "socket"
require "support/scheduled"

class IoWaitTest < Minitest::Test
  READABLE = IO::READABLE
  WRITABLE = IO::WRITABLE
  BOTH = READABLE | WRITABLE

  def test_it_returns_the_events_that_are_ready_as_a_number
    scheduled do |scheduler|
      one, other = UNIXSocket.pair
      assert_equal WRITABLE, scheduler.io_wait(one, BOTH, nil)

      other.write("x")
      assert_equal BOTH, scheduler.io_wait(one, BOTH, nil)
      assert_equal READABLE, scheduler.io_wait(one, READABLE, nil)
    end
  end

  def test_a_fiber_waits_until_there_is_something_to_read
    scheduled do
      reader, writer = IO.pipe
      ready = nil
      parked { ready = reader.wait_readable }
      writer.write("x")
      wait_until { ready }

      assert_same reader, ready
    end
  end

  def test_a_fiber_waits_until_there_is_room_to_write
    scheduled do
      reader, writer = IO.pipe
      fill(writer)
      ready = nil
      parked { ready = writer.wait_writable }
      reader.readpartial(1 << 20)
      wait_until { ready }

      assert_same writer, ready
    end
  end

  def test_a_wait_that_times_out_returns_false_and_not_nil_or_zero
    scheduled do |scheduler|
      reader, = pipe
      [0, 0.0, 0.001, Rational(1, 1000)].each do |timeout|
        assert_same false, scheduler.io_wait(reader, READABLE, timeout)
      end
    end
  end

  def test_a_timeout_of_zero_asks_the_kernel
    scheduled do |scheduler|
      reader, writer = IO.pipe
      assert_same false, scheduler.io_wait(reader, READABLE, 0)
      assert_equal WRITABLE, scheduler.io_wait(writer, WRITABLE, 0)

      writer.write("x")
      assert_equal READABLE, scheduler.io_wait(reader, READABLE, 0)
      assert_same reader, reader.wait_readable(0)

      reader.getc
      assert_nil reader.wait_readable(0)
    end
  end

  def test_a_timeout_of_zero_asks_the_kernel_on_sockets_too
    scheduled do |scheduler|
      one, other = UNIXSocket.pair
      assert_same false, scheduler.io_wait(one, READABLE, 0)

      other.write("x")
      assert_equal READABLE, scheduler.io_wait(one, READABLE, 0)
    end
  end

  def test_a_wait_without_a_timeout_takes_the_one_of_the_io
    scheduled do |scheduler|
      reader, = pipe
      reader.timeout = 0.001

      assert_same false, scheduler.io_wait(reader, READABLE, nil)
      assert_nil reader.wait_readable
    end
  end

  def test_a_timeout_of_its_own_goes_before_the_one_of_the_io
    scheduled do |scheduler|
      reader, writer = IO.pipe
      reader.timeout = 0.001
      ready = nil
      fiber = parked { ready = scheduler.io_wait(reader, READABLE, 60) }
      sleep 0.01
      assert_predicate fiber, :alive?

      writer.write("x")
      wait_until { ready }
      assert_equal READABLE, ready
    end
  end

  def test_out_of_band_data_is_priority
    scheduled do |scheduler|
      server = TCPServer.new("127.0.0.1", 0)
      client = TCPSocket.new("127.0.0.1", server.local_address.ip_port)
      ready = nil
      connection = server.accept
      parked { ready = scheduler.io_wait(connection, IO::PRIORITY, nil) }
      client.send("!", Socket::MSG_OOB)
      wait_until { ready }

      assert_equal IO::PRIORITY, ready
    end
  end

  def test_many_fibers_wait_for_the_same_descriptor
    scheduled do
      reader, writer = IO.pipe
      ready = []
      3.times { parked { ready << reader.wait_readable } }
      writer.write("x")
      wait_until { ready.size == 3 }

      assert_equal [reader] * 3, ready
    end
  end

  def test_one_descriptor_is_waited_for_in_both_directions
    scheduled do
      one, other = UNIXSocket.pair
      fill(one)
      ready = []
      parked { one.wait_readable && (ready << :read) }
      parked { one.wait_writable && (ready << :write) }
      other.write("x")
      wait_until { ready.size == 1 }
      assert_equal 1, one.readpartial(1).bytesize

      other.readpartial(1 << 20) until ready.size == 2 || !other.wait_readable(0)
      wait_until { ready.size == 2 }
    end
  end

  # As rb_wait_for_single_fd does, which C extensions call.
  def test_a_throw_away_io_stands_for_its_descriptor
    scheduled do
      reader, writer = IO.pipe
      3.times do
        ready = nil
        parked { ready = IO.for_fd(reader.fileno, autoclose: false).wait_readable }
        GC.start
        writer.write("x")
        wait_until { ready }
        assert_equal "x", reader.readpartial(1)
      end
    end
  end

  def test_two_throw_away_ios_of_the_same_descriptor_at_a_time
    scheduled do
      reader, writer = IO.pipe
      ready = 0
      2.times { parked { IO.for_fd(reader.fileno, autoclose: false).wait_readable && (ready += 1) } }
      writer.write("x")
      wait_until { ready == 2 }

      assert_equal "x", reader.readpartial(1)
    end
  end

  def test_a_descriptor_that_was_closed_and_is_used_again_is_another_one
    scheduled do
      first, first_writer = IO.pipe
      number = first.fileno
      assert_nil first.wait_readable(0.001)
      first.close
      first_writer.close
      reader, writer = IO.pipe
      skip "the number was not used again" unless reader.fileno == number

      ready = nil
      parked { ready = reader.wait_readable }
      writer.write("x")
      wait_until { ready }
    end
  end

  def test_regular_files_are_always_ready
    scheduled do |scheduler|
      File.open(__FILE__) do |file|
        [nil, 0, 1].each { |timeout| assert_equal READABLE, scheduler.io_wait(file, READABLE, timeout) }
      end
      File.open(File::NULL, "r+") { |file| assert_equal WRITABLE, scheduler.io_wait(file, WRITABLE, 1) }
    end
  end

  # IO.copy_stream waits like this when a worker carries it out.
  def test_another_thread_waits_by_itself
    scheduled do |scheduler|
      reader, writer = IO.pipe
      sleep 0
      assert_same false, Thread.new { scheduler.io_wait(reader, READABLE, 0.001) }.value

      thread = Thread.new { scheduler.io_wait(reader, READABLE, nil) }
      wait_until_asleep(thread)
      writer.write("x")
      assert_equal READABLE, thread.value
    end
  end

  def test_bad_input_is_refused
    reader, = pipe
    closed = reader.dup.tap(&:close)
    in_company do |scheduler|
      assert_raises(IOError) { scheduler.io_wait(closed, READABLE, nil) }
      assert_raises(ArgumentError) { scheduler.io_wait(reader, READABLE, -1) }
      assert_raises(ArgumentError) { scheduler.io_wait(reader, READABLE, Float::NAN) }
      assert_raises(TypeError) { scheduler.io_wait(reader, READABLE, "soon") }
      [0, 8, -1].each do |events|
        assert_match(/IO::READABLE/, assert_raises(ArgumentError) { scheduler.io_wait(reader, events, nil) }.message)
      end
      assert_raises(TypeError) { scheduler.io_wait(reader, :read, nil) }
      assert_raises(TypeError) { scheduler.io_wait(0, READABLE, nil) }
    end
  end

  def test_a_descriptor_that_is_not_open_is_refused
    in_company do |scheduler|
      reader, = pipe
      throw_away = IO.for_fd(reader.fileno, autoclose: false)
      reader.close

      assert_raises(Errno::EBADF) { scheduler.io_wait(throw_away, READABLE, nil) }
      assert_raises(Errno::EBADF) { scheduler.io_wait(throw_away, READABLE, 0) }
    end
  end

  def test_urgent_data_never_comes_in_a_regular_file
    in_company { File.open(__FILE__) { |file| refute file.wait(IO::PRIORITY, 0.005) } }
  end

  def test_a_terminal_whose_settings_change_is_waited_for_all_the_same
    PTY.open do |controller, terminal|
      in_company do
        ready = nil
        parked { ready = terminal.wait_readable(60) }
        3.times { terminal.raw! && sleep(0.001) && terminal.cooked! }
        assert_nil ready
        controller.write("line\n")
        wait_until { ready }
      end
    end
  end

  private

  # Both ends stay open as long as the test runs.
  def pipe
    IO.pipe.tap { |ends| (@pipes ||= []) << ends }
  end

  def fill(io)
    nil while io.write_nonblock("x" * 65_536, exception: false).is_a?(Integer)
  end
end
