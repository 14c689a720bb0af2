# frozen_string_literal: true

require "helper"
require "io/wait"
require "socket"
require "support/io_buffer"
require "support/scheduled"

# Closing an IO that others wait for. Up to 3.4 lib/evented/wake_on_close.rb sees to it, later Ruby does.
class IoCloseTest < Minitest::Test
  WAYS_TO_WAIT = {
    wait: lambda(&:wait_readable),
    wait_with_a_timeout: ->(io) { io.wait_readable(60) },
    read: ->(io) { io.readpartial(1) },
    gets: lambda(&:gets),
    select: ->(io) { IO.select([io]) }
  }.freeze

  WAYS_TO_WAIT.each do |name, wait|
    define_method("test_another_fiber_closes_what_is_waited_for_by_#{name}") do
      [IO.pipe, UNIXSocket.pair].each do |reader, _writer|
        in_company do
          result = nil
          parked { result = outcome { wait.call(reader) } }
          reader.close
          wait_until { result }

          assert_instance_of IOError, result
        end
      end
    end

    define_method("test_another_thread_closes_what_is_waited_for_by_#{name}") do
      [IO.pipe, UNIXSocket.pair].each do |reader, _writer|
        result = scheduled do
          loop_thread = Thread.current
          closer = Thread.new { wait_until_asleep(loop_thread) && reader.close }
          outcome { wait.call(reader) }.tap { closer.join }
        end

        assert_instance_of IOError, result
      end
    end
  end

  def test_who_waits_to_write_is_woken
    [IO.pipe, UNIXSocket.pair].each do |_reader, writer|
      in_company do
        result = nil
        parked { result = outcome { writer.write("x" * 1_000_000) } }
        writer.close
        wait_until { result }

        assert_instance_of IOError, result
      end
    end
  end

  def test_closing_one_way_wakes_who_waits_for_it
    in_company do
      reader, writer = IO.pipe
      full, pipe_end = IO.pipe
      process = IO.popen("cat >/dev/null; cat", "r+")
      results = {}
      parked { results[:reader] = outcome { reader.readpartial(1) } }
      parked { results[:writer] = outcome { pipe_end.write("x" * 1_000_000) } }
      parked { results[:answer] = outcome { process.read } }
      reader.close_read
      pipe_end.close_write
      process.close_write
      wait_until { results.size == 3 }

      assert_equal [IOError, IOError, ""], [results[:reader].class, results[:writer].class, results[:answer]]
      [writer, full, process].each(&:close)
    end
  end

  def test_an_io_that_becomes_another_wakes_who_waits_for_the_first
    in_company do
      reader, _writer = IO.pipe
      other, _other_writer = IO.pipe
      result = nil
      parked { result = outcome { reader.readpartial(1) } }
      reader.reopen(other)
      wait_until { result }

      assert_instance_of IOError, result
    end
  end

  def test_every_waiter_is_woken
    scheduled do
      one, _other = UNIXSocket.pair
      results = []
      WAYS_TO_WAIT.each_value { |wait| parked { results << outcome { wait.call(one) } } }
      one.close
      wait_until { results.size == WAYS_TO_WAIT.size }

      assert_equal [IOError], results.map(&:class).uniq
    end
  end

  def test_who_accepts_is_woken
    scheduled do
      server = TCPServer.new("127.0.0.1", 0)
      result = nil
      parked { result = outcome { server.accept } }
      server.close
      wait_until { result }

      assert_kind_of IOError, result
    end
  end

  def test_who_waits_for_something_else_is_left_alone
    scheduled do
      one, _one_peer = IO.pipe
      other, writer = IO.pipe
      result = nil
      parked { result = other.readpartial(1) }
      one.close
      3.times { sleep 0 }
      assert_nil result

      writer.write("x")
      wait_until { result }
    end
  end

  def test_the_number_of_the_descriptor_can_be_used_again_at_once
    scheduled do
      20.times do
        reader, _reader_peer = IO.pipe
        result = nil
        parked { result = outcome { reader.readpartial(1) } }
        reader.close
        again, writer = IO.pipe
        writer.write("x")
        assert_equal "x", again.readpartial(1)
        wait_until { result }
      ensure
        [again, writer].each(&:close)
      end
    end
  end

  def test_closing_an_io_that_nobody_waits_for
    scheduled do
      reader, writer = IO.pipe
      writer.write("rest")
      writer.close

      assert_equal "rest", reader.read
      assert_nil reader.close
      assert_nil reader.close
      assert_predicate reader, :closed?
    end
  end

  def test_closing_writes_what_is_still_in_the_buffer
    scheduled do
      reader, writer = IO.pipe
      writer.sync = false
      writer.write("buffered")
      writer.close

      assert_equal "buffered", reader.read
    end
  end

  def test_the_hook_closes_the_descriptor_and_wakes_who_waits_for_it
    in_company do |scheduler|
      reader, writer = IO.pipe
      number = IO.for_fd(reader.fileno, autoclose: false).fileno
      result = nil
      parked { result = outcome { scheduler.io_wait(reader, IO::READABLE, nil) } }

      assert scheduler.io_close(number)
      wait_until { result }
      assert_instance_of IOError, result
      assert_raises(Errno::EPIPE) { wait_until { !writer.write("x") } }
      reader.autoclose = false
    end
  end

  def test_the_hook_takes_numbers_only
    in_company { |scheduler| assert_raises(TypeError) { scheduler.io_close("3") } }
  end

  def test_an_interrupted_read_has_given_its_buffer_back
    scheduled do |scheduler|
      one, _one_peer = UNIXSocket.pair
      buffer = IO::Buffer.new(16)
      result = nil
      parked { result = outcome { scheduler.io_read(one, buffer, 1, 0) } }
      assert_predicate buffer, :locked?
      one.close
      wait_until { result }

      refute_predicate buffer, :locked?
    end
  end
end
