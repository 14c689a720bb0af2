# frozen_string_literal: true

require "helper"
require "support/scheduled"

# A fiber that was woken, for a mutex that has become free or an item that has come, and is cancelled before it goes on:
# the wake-up is another's then.
class PassedOnTest < Minitest::Test
  class Stop < StandardError; end

  # What is waited for; how it is taken from everybody; how to wait until one's turn comes; and how one's turn comes.
  Turn = Struct.new(:subject, :use_up, :wait, :wake)

  TURNS = {
    mutex: Turn.new(-> { Mutex.new }, lambda(&:lock), ->(mutex) { mutex.synchronize { :in } }, lambda(&:unlock)),
    queue: Turn.new(-> { Queue.new }, ->(_) {}, lambda(&:pop), ->(queue) { queue << :in }),
    full_queue: Turn.new(-> { SizedQueue.new(1) }, ->(queue) { queue << 1 }, ->(queue) { queue << 2 }, lambda(&:pop)),
    condition: Turn.new(-> { [ConditionVariable.new, Mutex.new] }, ->(_) {},
                        ->((condition, mutex)) { mutex.synchronize { condition.wait(mutex) } },
                        ->((condition, _)) { condition.signal }),
    limited_condition: Turn.new(-> { [ConditionVariable.new, Mutex.new] }, ->(_) {},
                                ->((condition, mutex)) { mutex.synchronize { condition.wait(mutex, 60) } },
                                ->((condition, _)) { condition.signal })
  }.freeze

  TURNS.each do |name, turn|
    define_method("test_#{name}_when_the_one_that_was_woken_is_raised_in") do
      assert_passed_on(turn) { |fiber, wake| wake.call && fiber.raise(Stop) }
    end

    define_method("test_#{name}_when_the_one_that_was_woken_is_killed") do
      assert_passed_on(turn) { |fiber, wake| wake.call && fiber.kill }
    end

    define_method("test_#{name}_when_the_one_that_is_woken_was_told_to_stop_just_before") do
      assert_passed_on(turn) do |fiber, wake|
        assert Fiber.scheduler.__interrupt(fiber, Stop.new)
        wake.call
      end
    end

    define_method("test_#{name}_by_a_task_that_is_cancelled_in_the_very_turn_in_which_it_is_woken") do
      in_reactor do
        subject = taken(turn)
        one = Evented { turn.wait.call(subject) }
        other = Evented { turn.wait.call(subject) && :had_its_turn }
        one.cancel
        turn.wake.call(subject)

        assert_equal :had_its_turn, other.value
        assert_instance_of(Evented::Cancel, outcome { one.wait })
      end
    end
  end

  def test_a_queue_of_two_reactors
    queue = Queue.new
    waits = Queue.new
    elsewhere = Thread.new do
      Evented.run do
        Evented do
          sleep(0.0001) until queue.num_waiting == 2
          waits << true
        end
        queue.pop
      end
    end
    scheduled do
      fiber = parked { outcome { queue.pop } }
      waits.pop
      queue << :item
      fiber.raise(Stop)
    end

    assert_equal :item, elsewhere.value
  end

  def test_a_mutex_of_two_threads
    mutex = Mutex.new
    elsewhere = nil
    scheduled do
      mutex.lock
      fiber = parked { outcome { mutex.lock } }
      elsewhere = Thread.new { mutex.synchronize { :in } }
      wait_until_asleep(elsewhere)
      mutex.unlock
      fiber.raise(Stop)
    end

    assert_equal :in, elsewhere.value
  end

  def test_a_sleep_is_nobody_elses
    scheduled do |scheduler|
      one, other = Array.new(2) { parked { outcome { sleep } } }
      scheduler.unblock(:anything, one)
      one.raise(Stop)
      3.times { sleep 0 }

      assert_predicate other, :alive?
      other.kill
    end
  end

  def test_only_those_who_wait_for_the_same_condition_are_woken
    scheduled do
      mutex = Mutex.new
      conditions = Array.new(2) { ConditionVariable.new }
      one, other = conditions.map { |condition| parked { outcome { mutex.synchronize { condition.wait(mutex) } } } }
      conditions.first.signal
      one.raise(Stop)
      3.times { sleep 0 }

      assert_predicate other, :alive?
      other.kill
    end
  end

  private

  # @yieldparam fiber [Fiber] the first of two that wait; it is to be cancelled
  # @yieldparam wake [Proc] gives one of them its turn
  def assert_passed_on(turn)
    scheduled do
      subject = taken(turn)
      first = parked { outcome { turn.wait.call(subject) } }
      second = parked { turn.wait.call(subject) }
      yield first, -> { turn.wake.call(subject) || true }
      wait_until { !first.alive? && !second.alive? }
      pass
    end
  end

  def taken(turn)
    turn.subject.call.tap { |subject| turn.use_up.call(subject) }
  end
end
