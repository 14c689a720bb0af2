# frozen_string_literal: true

require "helper"
require "monitor"
require "support/scheduled"

# The hooks `block` and `unblock`: Mutex, Queue, ConditionVariable, Thread#join.
class BlockUnblockTest < Minitest::Test
  def test_a_blocked_fiber_goes_on_when_it_is_unblocked
    scheduled do |scheduler|
      woken = nil
      fiber = parked { woken = scheduler.block(:anything, nil) }

      scheduler.unblock(:anything, fiber)
      wait_until { !fiber.alive? }

      assert_same true, woken
    end
  end

  def test_a_block_that_times_out_says_so
    scheduled { |scheduler| assert_same false, scheduler.block(:anything, 0.001) }
  end

  def test_a_block_whose_time_has_passed_already_times_out
    scheduled { |scheduler| assert_same false, scheduler.block(:anything, -1) }
  end

  def test_an_unblock_that_comes_before_the_block_is_not_lost
    scheduled do |scheduler|
      scheduler.unblock(:anything, Fiber.current)

      assert_same true, scheduler.block(:anything, nil)
    end
  end

  def test_an_early_unblock_counts_for_one_block_only
    scheduled do |scheduler|
      2.times { scheduler.unblock(:anything, Fiber.current) }
      scheduler.block(:anything, nil)

      assert_same false, scheduler.block(:anything, 0.001)
    end
  end

  def test_an_unblock_does_not_end_a_wait_for_a_descriptor
    scheduled do |scheduler|
      reader, writer = IO.pipe
      ready = nil
      fiber = parked { ready = reader.wait_readable(5) }

      scheduler.unblock(:anything, fiber)
      3.times { sleep 0 }
      assert_nil ready

      writer.write("x")
      wait_until { ready }
      assert_same reader, ready
    end
  end

  def test_unblocking_a_fiber_that_has_ended_does_no_harm
    scheduled do |scheduler|
      fiber = Fiber.schedule { :done }
      scheduler.unblock(:anything, fiber)

      assert_same false, scheduler.block(:anything, 0.001)
    end
  end

  def test_a_mutex_goes_to_its_waiters_in_order
    scheduled do
      mutex = Mutex.new
      order = []
      fibers = nil
      mutex.synchronize do
        fibers = Array.new(3) { |n| parked { mutex.synchronize { order << n } } }
      end
      wait_until { fibers.none?(&:alive?) }

      assert_equal [0, 1, 2], order
    end
  end

  def test_a_mutex_that_another_thread_holds
    held = Queue.new
    release = Queue.new
    mutex = Mutex.new
    holder = Thread.new do
      mutex.synchronize do
        held << true
        release.pop
      end
    end
    held.pop

    got_it = scheduled do
      Fiber.schedule { release << true }
      mutex.synchronize { :got_it }
    end

    assert_equal :got_it, got_it
  ensure
    holder&.join
  end

  def test_a_monitor
    scheduled do
      monitor = Monitor.new
      order = []
      fiber = nil
      monitor.synchronize do
        fiber = parked { monitor.synchronize { order << :second } }
        order << :first
      end
      wait_until { !fiber.alive? }

      assert_equal %i[first second], order
    end
  end

  def test_a_queue_between_fibers
    scheduled do
      queue = Queue.new
      got = []
      consumer = parked { 3.times { got << queue.pop } }
      3.times { |n| queue << n }
      wait_until { !consumer.alive? }

      assert_equal [0, 1, 2], got
    end
  end

  def test_popping_with_a_timeout
    scheduled { assert_nil Queue.new.pop(timeout: 0.001) }
  end

  def test_a_queue_that_is_closed_lets_its_waiters_go
    scheduled do
      queue = Queue.new
      got = []
      fibers = Array.new(3) { parked { got << queue.pop } }
      queue.close
      wait_until { fibers.none?(&:alive?) }

      assert_equal [nil, nil, nil], got
    end
  end

  def test_a_full_sized_queue_makes_its_producer_wait
    scheduled do
      queue = SizedQueue.new(1)
      producer = parked { 3.times { |n| queue << n } }

      assert_equal [0, 1, 2], Array.new(3) { queue.pop }
      wait_until { !producer.alive? }
    end
  end

  def test_a_condition_variable_wakes_the_fiber_that_waits_for_it
    scheduled do
      mutex = Mutex.new
      condition = ConditionVariable.new
      state = :waiting
      fiber = parked { mutex.synchronize { condition.wait(mutex) && (state = :woken) } }
      condition.signal
      wait_until { !fiber.alive? }

      assert_equal :woken, state
      refute_predicate mutex, :locked?
    end
  end

  def test_a_condition_variable_with_a_timeout_has_its_mutex_again_afterwards
    scheduled do
      mutex = Mutex.new
      mutex.synchronize do
        ConditionVariable.new.wait(mutex, 0.001)

        assert_predicate mutex, :owned?
      end
    end
  end

  def test_joining_a_thread_lets_the_other_fibers_go_on
    in_company do
      go = Queue.new
      thread = Thread.new { go.pop * 2 }
      fiber = parked { thread.join }
      go << 21

      assert_equal 42, thread.value
      wait_until { !fiber.alive? }
    end
  end

  def test_joining_with_a_timeout
    scheduled do
      thread = Thread.new { sleep }

      assert_nil thread.join(0.001)
    ensure
      thread&.kill
    end
  end

  def test_the_exception_of_a_thread_arrives_at_who_joins_it
    scheduled do
      thread = Thread.new do
        Thread.current.report_on_exception = false
        raise "from the thread"
      end

      assert_equal "from the thread", assert_raises(RuntimeError) { thread.value }.message
    end
  end

  def test_what_is_no_timeout_is_refused
    in_company do |scheduler|
      assert_raises(ArgumentError) { scheduler.block(:anything, Float::NAN) }
      assert_raises(TypeError) { scheduler.block(:anything, "soon") }
    end
  end
end
