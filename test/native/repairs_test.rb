# frozen_string_literal: true

require "helper"
require "socket"
require "support/scheduled"
require "tempfile"

# Corners of the core classes where a scheduler has to answer as Ruby itself does.
class RepairsTest < Minitest::Test
  def test_sysread_respects_the_timeout_of_its_io
    in_company do
      reader, _writer = IO.pipe
      reader.timeout = 0.01

      assert_raises(IO::TimeoutError) { reader.sysread(1) }
    end
  end

  def test_select_with_buffered_data_reports_the_others_as_well
    scheduled do
      reader, writer = IO.pipe
      writer.write("ab")
      assert_equal "a", reader.getc
      one, other = UNIXSocket.pair
      other.write("x")

      assert_equal [[reader, one], [one], []], IO.select([reader, one], [one], nil, 5)
      assert_equal [[reader], [], []], IO.select([reader, other], nil, nil, 5)
    end
  end

  def test_pwrite_to_what_is_open_for_reading_only
    Tempfile.create do |file|
      File.open(file.path) do |reading|
        plain = assert_raises(IOError) { reading.pwrite("x", 0) }
        error = scheduled { assert_raises(IOError) { reading.pwrite("x", 0) } }

        assert_equal plain.message, error.message
      end
      assert_equal 0, file.size
    end
  end

  def test_pwrite_to_what_is_closed
    file = Tempfile.create(&:itself)

    assert_equal "closed stream", scheduled { assert_raises(IOError) { file.pwrite("x", 0) } }.message
  end

  def test_waiting_for_a_process_sees_that_it_was_stopped
    pid = spawn("sleep", "60")
    in_company do
      Process.kill(:STOP, pid)
      waited, status = Process.wait2(pid, Process::WUNTRACED)

      assert_equal pid, waited
      assert_predicate status, :stopped?
    end
  ensure
    Process.kill(:KILL, pid)
    Process.wait(pid)
  end

  def test_waiting_for_a_process_that_may_stop_sees_its_end
    in_company do
      _, status = Process.wait2(spawn("true"), Process::WUNTRACED)

      assert_predicate status, :success?
    end
  end

  # Its two directions are two descriptors.
  def test_closing_both_directions_of_a_process_wakes_the_writer
    child = nil
    scheduled do
      io = IO.popen(%w[sleep 60], "r+")
      child = io.pid
      result = nil
      parked { result = outcome { io.write("x" * 1_000_000) } }
      closer = Fiber.schedule { io.close }
      wait_until { result }

      assert_kind_of IOError, result
      child = Process.kill(:KILL, child) && nil
      wait_until { !closer.alive? }
    ensure
      Process.kill(:KILL, child) if child
    end
  end

  def test_a_failed_task_that_was_awaited_is_not_kept
    in_reactor do
      10.times do
        task = Evented { sleep(0.001) && raise("awaited") }
        assert_equal "awaited", assert_raises(RuntimeError) { task.wait }.message
      end

      assert_empty Evented::Task.current.children
    end
  end
end
