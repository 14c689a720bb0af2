# frozen_string_literal: true

require "helper"
require "support/scheduled"
require "timeout"

# Tasks share fibers, one after the other, and can't tell.
class WorkerTest < Minitest::Test
  class Boom < StandardError; end

  def test_a_task_runs_in_the_fiber_of_one_that_has_ended
    Evented.run do
      first = fiber_of_a_task
      assert_same first, fiber_of_a_task
      assert_same first, Evented { sleep(0) && Fiber.current }.value
      assert_same first, fiber_of_a_task
    end
  end

  def test_tasks_at_the_same_time_have_fibers_of_their_own
    Evented.run do
      fibers = fibers_of_tasks_at_once(5)
      assert_equal 5, fibers.uniq.size
      assert_empty fibers_of_tasks_at_once(5) - fibers
    end
  end

  def test_no_more_rest_than_would_be_wanted_again
    Evented.run do
      fibers = fibers_of_tasks_at_once(300)
      assert_equal 300, fibers.uniq.size
      assert_equal 128, fibers.count(&:alive?)
    end
  end

  # The time is up between a wait that was successful and the next one, which is the start of a task.
  def test_a_task_whose_starter_is_interrupted_before_it_begins_is_not_kept
    Evented.run do
      30.times do
        began = false
        assert_raises(Timeout::Error) { with_a_timeout_that_is_overdue { Evented { began = true } } }
        refute began
      end
      GC.start

      assert_operator ObjectSpace.each_object(Evented::Task).count { |task| task.status == :cancelled }, :<, 15
    end
  end

  def test_a_failed_task_leaves_its_fiber_to_the_next
    Evented.run do
      fiber = nil
      task = Evented { (fiber = Fiber.current) && raise(Boom) }
      assert_raises(Boom) { task.wait }
      assert_same fiber, Evented { Fiber.current }.value
      assert_nil Evented { $! }.value
    end
  end

  def test_storage_is_that_of_the_starter_and_of_nobody_else
    Evented.run do
      Evented do
        Fiber[:secret] = 1
        Fiber[:__other] = 2
      end
      assert_equal [:__evented_task], Evented { Fiber.current.storage.keys }.value

      Fiber[:request] = 7
      assert_equal 7, Evented { Fiber[:request].tap { Fiber[:request] = 8 } }.value
      assert_equal 7, Fiber[:request]
      Fiber[:request] = nil
      assert_nil Evented { Fiber[:request] }.value
    end
  end

  def test_storage_of_a_starter_that_is_no_task_is_inherited_too
    scheduled do
      Evented { Evented { nil } }
      Fiber[:request] = 7
      assert_equal([7, 7], Array.new(2) { Evented { Fiber[:request] }.value })
    end
  end

  def test_a_task_may_replace_its_storage
    fiber = nil
    in_storage_of_its_own = proc do |storage|
      fiber = Fiber.current
      fiber.storage = storage
    end
    without_warnings do
      Evented.run do
        Evented { in_storage_of_its_own.call(nil) }
        Evented { in_storage_of_its_own.call({ secret: 1 }) }
        assert_equal([fiber, [:__evented_task]], Evented { [Fiber.current, Fiber.current.storage.keys] }.value)
      end
    end
  end

  def test_a_fiber_with_locals_is_not_used_again
    Evented.run do
      fiber = Evented { (Thread.current[:connection] = 1) && Fiber.current }.value
      refute_same fiber, fiber_of_a_task
      assert_nil Evented { Thread.current[:connection] }.value
      refute_predicate fiber, :alive?
    end
  end

  def test_a_fiber_with_instance_variables_is_not_used_again
    Evented.run do
      fiber = Evented { Fiber.current.tap { |mine| mine.instance_variable_set(:@state, 1) } }.value
      refute_same fiber, fiber_of_a_task
    end
  end

  def test_what_is_raised_in_the_fiber_of_a_task_that_has_ended_hits_nobody
    Evented.run do
      fiber = fiber_of_a_task
      assert_match(/dead fiber/, assert_raises(FiberError) { fiber.raise(Boom) }.message)
      assert_same fiber, fiber.kill
      assert_equal(:fine, Evented { sleep(0) && :fine }.value)
    end
  end

  def test_a_wake_up_that_comes_too_late_is_not_for_the_next_task
    Evented.run do
      scheduler = Fiber.scheduler
      fiber = fiber_of_a_task
      scheduler.unblock(nil, fiber)
      slept = Evented do
        assert_same fiber, Fiber.current
        sleep(0.01)
        :slept
      end
      sleep 0
      assert_equal :waiting, slept.status
      assert_equal :slept, slept.value
    end
  end

  def test_a_cancellation_that_comes_too_late_is_not_for_the_next_task
    Evented.run do
      reader, writer = UNIXSocket.pair
      fiber = nil
      task = Evented { (fiber = Fiber.current) && reader.readpartial(1) }
      writer.write("x")
      # If the read has succeeded all the same, it is only to be raised at the next wait; there is none.
      task.cancel
      task.ended
      same, rested = Evented { [Fiber.current.equal?(fiber), sleep(0.001)] }.value

      assert same
      assert rested
    end
  end

  def test_nor_is_one_of_a_task_that_waited_in_an_enumerator
    Evented.run do
      fiber = task = other = nil
      Evented { sleep(0) && task.cancel }
      task = Evented { (fiber = Fiber.current) && Enumerator.new { |lines| sleep(0) && (lines << 1) }.next }
      Evented { sleep(0) && (other = Evented { [Fiber.current, sleep(0.001)] }) }
      sleep 0

      assert_equal :completed, task.status
      assert_equal [fiber, 0], other.value
    end
  end

  def test_a_killed_fiber_is_not_used_again
    Evented.run do
      fiber = nil
      task = Evented { (fiber = Fiber.current) && sleep }
      fiber.kill
      assert_equal :cancelled, task.status
      refute_same fiber, fiber_of_a_task
    end
  end

  def test_a_task_whose_fiber_was_raised_in_before_it_began_is_cancelled_and_keeps_nobody_from_ending
    [0, 1].each do |resting|
      task = nil
      _, warnings = capture_io do
        assert_raises(Boom) do
          Evented do
            resting.times { Evented { nil } }
            raise_at_the_next_switch
            task = Evented { nil }
          end
        end
      end

      assert_equal [:cancelled, Evented::Cancel], [task.status, task.result.class]
      assert_empty warnings
    end
  end

  def test_fibers_that_rest_keep_no_reactor_from_ending
    assert_equal 3, Evented.run { fibers_of_tasks_at_once(3) }.uniq.size
  end

  def test_they_are_used_in_a_scheduler_that_was_set_by_hand_too
    scheduled do
      Evented.run do
        first = fiber_of_a_task
        assert_same first, fiber_of_a_task
      end
    end
  end

  private

  # It comes too late for `pop`, which has been given something in the same turn.
  def with_a_timeout_that_is_overdue
    queue = Queue.new
    Evented do
      sleep 0
      due = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 0.002
      Thread.pass until Process.clock_gettime(Process::CLOCK_MONOTONIC) > due
      queue << true
    end
    Timeout.timeout(0.001) do
      queue.pop
      yield
    end
  end

  # As a signal that comes just then.
  def raise_at_the_next_switch
    switch = TracePoint.new(:fiber_switch) do
      switch.disable
      raise Boom
    end
    switch.enable
  end

  # Fiber#storage= is experimental.
  def without_warnings
    enabled = Warning[:experimental]
    Warning[:experimental] = false
    yield
  ensure
    Warning[:experimental] = enabled
  end

  def fiber_of_a_task = Evented { Fiber.current }.value

  def fibers_of_tasks_at_once(count)
    gate = Queue.new
    tasks = Array.new(count) { Evented { gate.pop || Fiber.current } }
    gate.close
    tasks.map(&:value)
  end
end
