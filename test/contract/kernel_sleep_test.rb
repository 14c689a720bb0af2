# frozen_string_literal: true

require "helper"
require "support/scheduled"
require "timeout"

class KernelSleepTest < Minitest::Test
  def test_a_sleep_lasts_at_least_as_long_as_was_asked
    [0.02, Rational(1, 50)].each do |duration|
      started = now
      scheduled { sleep duration }

      assert_operator now - started, :>=, 0.02
    end
  end

  def test_a_sleep_returns_whole_seconds
    scheduled { assert_equal 0, sleep(0.001) }
  end

  def test_sleepers_wake_in_the_order_of_their_deadlines
    scheduled do
      order = []
      fibers = [0.03, 0.01, 0.02].map { |duration| parked { sleep(duration) && (order << duration) } }
      wait_until { fibers.none?(&:alive?) }

      assert_equal [0.01, 0.02, 0.03], order
    end
  end

  def test_a_hundred_sleepers_sleep_at_the_same_time
    started = now
    scheduled { 100.times { Fiber.schedule { sleep 0.1 } } }

    assert_operator now - started, :<, 5 # one after the other they would take ten
  end

  def test_sleeping_zero_seconds_lets_the_other_ready_fibers_run_once
    scheduled do
      order = []
      fibers = %i[a b].map { |name| parked { 2.times { sleep(0) && (order << name) } } }
      wait_until { fibers.none?(&:alive?) }

      assert_equal %i[a b a b], order
    end
  end

  def test_an_endless_sleep_ends_with_an_unblock_from_another_thread
    [[], [nil]].each do |arguments|
      scheduled do |scheduler|
        me = Thread.current
        fiber = Fiber.current
        waker = Thread.new do
          wait_until_asleep(me)
          scheduler.unblock(:sleep, fiber)
        end
        sleep(*arguments)
        waker.join

        assert_predicate fiber, :alive?
      end
    end
  end

  def test_a_mutex_sleeps_until_it_is_woken
    scheduled do
      mutex = Mutex.new
      fiber = parked { mutex.synchronize { mutex.sleep(0.001) } }
      mutex.synchronize { :others_may_lock_it_meanwhile }
      wait_until { !fiber.alive? }

      refute_predicate mutex, :locked?
    end
  end

  def test_what_answers_to_divmod_is_a_duration
    duration = Class.new { def divmod(_) = [0, 0.001] }.new

    scheduled { assert_equal 0, sleep(duration) }
  end

  def test_a_duration_without_an_end_is_one
    scheduled do
      fiber = parked { sleep(Float::INFINITY) }
      huge = parked { sleep(1e300) }
      3.times { sleep 0 }

      assert_predicate fiber, :alive?
      assert_predicate huge, :alive?
      [fiber, huge].each(&:kill)
    end
  end

  def test_what_is_no_duration_is_refused
    in_company do
      assert_match(/negative/, assert_raises(ArgumentError) { sleep(-1) }.message)
      assert_match(/negative/, assert_raises(ArgumentError) { sleep(-0.5) }.message)
      assert_match(/negative/, assert_raises(ArgumentError) { sleep(Rational(-1, 2)) }.message)
      assert_match(/NaN/, assert_raises(ArgumentError) { sleep(Float::NAN) }.message)
      assert_raises(TypeError) { sleep("soon") }
      assert_raises(TypeError) { sleep(Object.new) }
      assert_raises(ArgumentError) { sleep(1, 2) }
    end
  end

  # They begin turns without going back to the loop, which has to get control all the same.
  def test_fibers_that_only_yield_starve_nobody
    reader, writer = IO.pipe
    queue = Queue.new
    ends = {
      a_sleeper: -> { sleep 0.001 },
      a_timeout: -> { assert_raises(Timeout::Error) { Timeout.timeout(0.001) { sleep } } },
      a_reader: -> { reader.readpartial(1) },
      a_fiber_that_another_thread_wakes: -> { queue.pop },
      one_that_waits_for_a_process: -> { system("true") }
    }
    scheduled do
      waiting = ends.keys
      3.times { Fiber.schedule { sleep 0 until waiting.empty? } }
      ends.each { |name, wait| Fiber.schedule { wait.call && waiting.delete(name) } }
      Thread.new { queue << writer.write("x") }
      wait_until { waiting.empty? }
      assert_empty waiting
    end
  end

  private

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
