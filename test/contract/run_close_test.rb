# frozen_string_literal: true

require "helper"
require "support/ruby_process"
require "support/scheduled"

# `run`, `close`, `scheduler_close` and `closed?`.
class RunCloseTest < Minitest::Test
  def test_run_returns_when_no_fiber_waits_any_more
    with_scheduler do |scheduler|
      done = []
      3.times { |n| Fiber.schedule { sleep(0.001 * n) && (done << n) } }
      scheduler.run

      assert_equal 3, done.size
      assert_predicate scheduler, :idle?
    end
  end

  def test_run_can_be_called_again
    with_scheduler do |scheduler|
      2.times do
        fiber = Fiber.schedule { sleep 0.001 }
        scheduler.run

        refute_predicate fiber, :alive?
      end
    end
  end

  def test_run_inside_of_run_is_refused
    scheduled do |scheduler|
      sleep 0
      assert_match(/running already/, assert_raises(Evented::Error) { scheduler.run }.message)
    end
  end

  def test_run_in_a_fiber_is_refused
    with_scheduler do |scheduler|
      Fiber.schedule { assert_raises(Evented::Error) { scheduler.run } }
    end
  end

  def test_a_fiber_can_not_close_it
    scheduled do |scheduler|
      waiting = parked { sleep }
      assert_raises(Evented::Error) { Fiber.set_scheduler(nil) }

      refute_predicate scheduler, :closed?
      waiting.kill
    end
  end

  def test_the_end_of_the_thread_runs_what_is_left
    done = false
    with_scheduler { Fiber.schedule { sleep(0.001) && (done = true) } }

    assert done
  end

  def test_replacing_the_scheduler_runs_what_is_left
    done = false
    with_scheduler do |scheduler|
      Fiber.schedule { sleep(0.001) && (done = true) }
      Fiber.set_scheduler(nil)

      assert done
      assert_predicate scheduler, :closed?
      assert_nil Fiber.scheduler
    end
  end

  def test_close_raises_the_first_failure_after_everything_is_done
    done = []
    error = assert_raises(RuntimeError) do
      with_scheduler do
        Fiber.schedule { sleep(0) && raise("first") }
        Fiber.schedule { sleep(0.001) && raise("second") }
        Fiber.schedule { sleep(0.002) && (done << :third) }
      end
    end

    assert_equal "first", error.message
    assert_equal [:third], done
  end

  def test_an_exception_that_leaves_the_thread_cancels_the_fibers
    seen = []
    error = assert_raises(RuntimeError) do
      with_scheduler do
        Fiber.schedule do
          sleep
        rescue Evented::Cancel => e
          seen << e
          raise
        ensure
          seen << :ensure
        end
        raise "leaving"
      end
    end

    assert_equal "leaving", error.message
    assert_kind_of Evented::Cancel, seen.first
    assert_equal :ensure, seen.last
  end

  def test_a_cancelled_fiber_that_is_ready_and_waits_for_its_turn_ends_too
    cleaned_up = false
    _, errors = capture_io do
      assert_raises(RuntimeError) do
        with_scheduler do |scheduler|
          Fiber.schedule do
            loop { sleep 0 }
          ensure
            cleaned_up = true
          end
          Fiber.schedule { sleep(0) && raise("leaving") }
          scheduler.run
        end
      end
    end

    assert cleaned_up
    assert_empty errors
  end

  def test_a_cancelled_fiber_may_wait_while_it_cleans_up
    cleaned_up = false
    assert_raises(RuntimeError) do
      with_scheduler do
        Fiber.schedule do
          sleep
        ensure
          sleep(0.01) && (cleaned_up = true)
        end
        raise "leaving"
      end
    end

    assert cleaned_up
  end

  def test_killing_the_thread_cancels_the_fibers
    events = Queue.new
    thread = Thread.new do
      Fiber.set_scheduler(Evented::Scheduler.new)
      Fiber.schedule do
        events << :waits
        sleep
      ensure
        events << :cleaned_up
      end
    end
    assert_equal :waits, events.pop
    wait_until_asleep(thread)
    thread.kill
    thread.join

    assert_equal :cleaned_up, events.pop(timeout: 5)
  end

  # Up to 4.0 at least Ruby crashes at the end if fibers have left two mutexes locked, and somebody locks one again.
  def test_fibers_that_ignore_being_cancelled_are_killed_and_unlock_their_mutexes
    output, errors, status = ruby(<<~RUBY)
      mutexes = [Mutex.new, Mutex.new]
      Thread.new do
        Thread.current.report_on_exception = false
        Fiber.set_scheduler(Evented::Scheduler.new)
        mutexes.each do |mutex|
          Fiber.schedule { mutex.synchronize { begin sleep; rescue Exception; retry; ensure puts "cleaned up"; end } }
        end
        raise "leaving"
      end.join rescue p $!
      p mutexes.map(&:locked?)
      mutexes.last.lock
    RUBY

    assert_equal "cleaned up\ncleaned up\n#<RuntimeError: leaving>\n[false, false]\n", output
    assert_match(/2 fibers ignored being cancelled and are killed/, errors)
    assert_predicate status, :success?
  end

  def test_a_fiber_that_not_even_being_killed_ends_is_kept_with_what_it_has_locked
    output, errors, status = ruby(<<~RUBY)
      Thread.new do
        Thread.current.report_on_exception = false
        Fiber.set_scheduler(Evented::Scheduler.new)
        Fiber.schedule do
          Mutex.new.synchronize do
            loop { begin sleep; ensure next; end }
          end
        end
        raise "leaving"
      end.join rescue p $!
      5.times { GC.start && Array.new(10_000) { "x" * 500 } }
    RUBY

    assert_equal "#<RuntimeError: leaving>\n", output
    assert_match(/1 fibers went on waiting when they were killed, and are abandoned/, errors)
    assert_predicate status, :success?
  end

  def test_close_can_be_called_again
    with_scheduler do |scheduler|
      Fiber.set_scheduler(nil)

      assert_nil scheduler.close
      assert_nil scheduler.scheduler_close
      assert_predicate scheduler, :closed?
      assert_equal "#<Evented::Scheduler closed>", scheduler.inspect
    end
  end

  def test_a_closed_scheduler_refuses_its_hooks
    reader, writer = @pipe = IO.pipe
    with_scheduler do |scheduler|
      Fiber.set_scheduler(nil)
      {
        block: [:x, nil], kernel_sleep: [0], io_wait: [reader, 1, 0], io_select: [[reader]], process_wait: [1, 0],
        address_resolve: ["localhost"], io_close: [writer.fileno], run: [], yield: []
      }.each do |hook, arguments|
        error = assert_raises(Evented::ClosedError, hook.to_s) { scheduler.public_send(hook, *arguments) }
        assert_match(/make a new one/, error.message)
      end
      assert_raises(Evented::ClosedError) { scheduler.fiber { :never } }
      assert_raises(Evented::ClosedError) { scheduler.timeout_after(1, RuntimeError, "") { :never } }
      refute scheduler.unblock(:x, Fiber.current)
      refute scheduler.fiber_interrupt(Fiber.current, RuntimeError.new)
    end
    assert writer.write("it is still open")
  end

  def test_a_closed_scheduler_can_not_be_set
    scheduler = with_scheduler { |own| own }

    Thread.new { assert_raises(Evented::ClosedError) { Fiber.set_scheduler(scheduler) && Fiber.schedule { :never } } }
          .join
  end

  def test_the_descriptors_are_given_back
    skip "only Linux tells what a process has open" unless File.directory?("/proc/self/fd")

    scheduled { sleep 0.001 }
    before = Dir.children("/proc/self/fd").size
    50.times { scheduled { sleep 0 } }

    assert_operator Dir.children("/proc/self/fd").size, :<=, before + 2
  end

  def test_the_main_thread_closes_its_scheduler_before_at_exit
    output = output_of_ruby(<<~RUBY)
      at_exit { p Fiber.scheduler, Thread.main.alive? }
      Fiber.set_scheduler(Evented::Scheduler.new)
      Fiber.schedule { sleep 0.001; puts "done" }
    RUBY

    assert_equal "done\nnil\ntrue\n", output
  end

  def test_exit_in_a_fiber_ends_the_process
    output, _, status = ruby(<<~RUBY)
      Evented do
        Evented { begin; sleep; ensure; puts "cleaned up"; end }
        exit 3
      end
    RUBY

    assert_equal [3, "cleaned up\n"], [status.exitstatus, output]
  end

  # If each of them cost the kernel a look at all others, as it once did, this would take minutes.
  def test_a_hundred_thousand_waits_that_were_given_up_do_not_hold_up_closing
    skip "the kernel's tables are as small as the ring" if ENV["EVENTED_DRIVER"] == "uring:64"

    pipes = Array.new(50) { IO.pipe }
    done = 0
    with_scheduler do |scheduler|
      2_000.times { Fiber.schedule { IO.select(pipes.map(&:first)) && (done += 1) } }
      pipes.first.last.write("x")
      scheduler.run
    end

    assert_equal 2_000, done
  end
end
