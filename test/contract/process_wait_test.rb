# frozen_string_literal: true

require "English"
require "helper"
require "open3"
require "support/ruby_process"
require "support/scheduled"

# `process_wait`: Process.wait, system, backticks, Open3, IO.popen.
class ProcessWaitTest < Minitest::Test
  # A child that lives until its standard input ends.
  UNTIL_TOLD = ["sh", "-c", "read line; exit 3"].freeze

  def test_the_other_fibers_go_on_while_one_waits_for_a_child
    in_company do
      told, tell = IO.pipe
      pid = spawn(*UNTIL_TOLD, in: told)
      status = nil
      parked { status = Process.wait2(pid).last }
      assert_nil status

      tell.close
      wait_until { status }
      assert_equal 3, status.exitstatus
    end
  end

  def test_a_child_that_has_ended_already
    scheduled do
      pid = spawn("true")
      wait_until { File.read("/proc/#{pid}/stat").include?(") Z") } if File.exist?("/proc/self/stat")

      assert_equal pid, Process.wait(pid)
    end
  end

  def test_many_children_at_a_time
    codes = {}
    scheduled do
      20.times { |n| Fiber.schedule { codes[n] = Process.wait2(spawn("exit #{n}")).last.exitstatus } }
    end

    assert_equal((0...20).to_h { |n| [n, n] }, codes)
  end

  # In a process of its own, which has no other children.
  def test_any_child
    assert_equal "[0, 1, 2]\nErrno::ECHILD\n", output_of_ruby(<<~'RUBY')
      Evented.run do
        3.times { |n| spawn("exit #{n}") }
        p Array.new(3) { Process.wait2.last.exitstatus }.sort
        Process.wait rescue p $!.class
      end
    RUBY
  end

  def test_any_child_of_a_group
    in_company do
      pid = spawn("exit 4", pgroup: true)

      assert_equal([pid, 4], Process.wait2(-pid).then { |number, status| [number, status.exitstatus] })
    end
  end

  def test_a_child_that_was_killed
    scheduled do
      told, = @pipe = IO.pipe
      pid = spawn(*UNTIL_TOLD, in: told)
      status = nil
      parked { status = Process.wait2(pid).last }
      Process.kill(:KILL, pid)
      wait_until { status }

      assert_equal Signal.list["KILL"], status.termsig
    end
  end

  def test_two_fibers_wait_for_one_child
    in_company do
      told, tell = IO.pipe
      pid = spawn(*UNTIL_TOLD, in: told)
      results = []
      2.times { parked { results << outcome { Process.wait(pid) } } }
      tell.close
      wait_until { results.size == 2 }

      assert_equal [Errno::ECHILD, Integer], results.map(&:class).sort_by(&:name)
    end
  end

  def test_waiting_without_waiting
    scheduled do
      told, tell = IO.pipe
      pid = spawn(*UNTIL_TOLD, in: told)
      assert_nil Process.wait(pid, Process::WNOHANG)

      tell.close
      assert_equal pid, Process.wait(pid)
    end
  end

  def test_system_and_backticks
    in_company do
      assert_same true, system("true")
      assert_same false, system("exit 2")
      assert_equal 2, $CHILD_STATUS.exitstatus
      assert_nil system("/nowhere/at/all")
      assert_equal "hello\n", `echo hello`
    end
  end

  def test_system_lets_the_other_fibers_go_on
    reader, writer = IO.pipe
    in_company do
      Fiber.schedule { writer.close }

      assert_same true, system("read line; true", in: reader)
    end
  end

  def test_open3
    in_company do
      output, errors, status = Open3.capture3("cat; echo oops >&2", stdin_data: "x" * 200_000)

      assert_equal [200_000, "oops\n", true], [output.size, errors, status.success?]
    end
  end

  def test_popen_in_both_directions
    in_company do
      reply = IO.popen("cat", "r+") do |cat|
        cat.puts("hello")
        cat.gets
      end

      assert_equal "hello\n", reply
      assert_predicate $CHILD_STATUS, :success?
    end
  end

  def test_detached_children
    in_company { assert_equal 5, Process.detach(spawn("exit 5")).value.exitstatus }
  end

  def test_all_children
    assert_equal "[0, 1, 2]\n[]\n", output_of_ruby(<<~'RUBY')
      Evented.run do
        3.times { |n| spawn("exit #{n}") }
        p Process.waitall.map { |_, status| status.exitstatus }.sort
        p Process.waitall
      end
    RUBY
  end

  def test_no_such_child_is_a_status_for_the_hook_and_an_error_for_the_caller
    in_company do |scheduler|
      status = scheduler.process_wait(Process.pid, 0)
      assert_instance_of Process::Status, status
      assert_equal(-1, status.pid)

      assert_raises(Errno::ECHILD) { Process.wait(Process.pid) }
    end
  end

  def test_bad_input_is_refused
    in_company do |scheduler|
      assert_raises(TypeError) { scheduler.process_wait("1", 0) }
      assert_raises(TypeError) { scheduler.process_wait(1, nil) }
      assert_raises(RangeError) { scheduler.process_wait(1 << 40, 0) }
    end
  end
end
