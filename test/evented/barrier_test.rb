# frozen_string_literal: true

require "helper"
require "support/ruby_process"
require "support/scheduled"

class BarrierTest < Minitest::Test
  class Boom < StandardError; end

  def setup
    @barrier = Evented::Barrier.new
    @others = live_tasks
  end

  def test_it_waits_until_all_have_ended
    in_reactor do
      done = []
      tasks = Array.new(3) { |number| @barrier.spawn { sleep(0) && (done << number) && number } }
      assert_equal [3, false, tasks, "#<Evented::Barrier size=3>"],
                   [@barrier.size, @barrier.empty?, @barrier.tasks, @barrier.inspect]

      assert_same @barrier, @barrier.wait
      assert_equal [[0, 1, 2], 0, true, []], [done.sort, @barrier.size, @barrier.empty?, @barrier.tasks]
      assert_equal [0, 1, 2], tasks.map(&:value)
    end
  end

  def test_with_nothing_to_wait_for_it_does_not_wait
    in_reactor do
      @barrier.spawn { :at_once }
      assert_empty @barrier
      @barrier.wait
    end
    @barrier.wait
  end

  def test_its_tasks_are_children_of_the_current_one
    in_reactor do |root|
      task = @barrier.spawn(name: "fetch") { |me| sleep(0) && me }

      assert_equal [root, "fetch", task], [task.parent, task.name, task.value]
    end
  end

  def test_others_are_not_waited_for
    in_reactor do
      other = Evented { sleep }
      @barrier.spawn { sleep 0 }
      @barrier.wait

      assert_predicate other, :alive?
      other.cancel
    end
  end

  def test_it_can_be_used_again
    in_reactor do
      2.times do
        done = false
        @barrier.spawn { sleep(0) && (done = true) }
        @barrier.wait
        assert done
      end
      @barrier.spawn { sleep(0) && raise(Boom) }
      assert_raises(Boom) { @barrier.wait }
      @barrier.spawn { sleep 0 }
      @barrier.wait
    end
  end

  def test_tasks_that_are_added_meanwhile_are_waited_for
    in_reactor do
      done = false
      @barrier.spawn { sleep(0) && @barrier.spawn { sleep(0) && (done = true) } }
      @barrier.wait

      assert done
    end
  end

  def test_a_block_is_given_the_tasks_as_they_end
    in_reactor do
      3.downto(1) { |turns| @barrier.spawn { turns.times { sleep 0 } && turns } }
      seen = []
      @barrier.wait { |task| seen << task.value }

      assert_equal [1, 2, 3], seen
    end
  end

  def test_the_block_may_wait_itself
    in_reactor do
      3.times { |number| @barrier.spawn { number.times { sleep 0 } && number } }
      seen = []
      @barrier.wait { |task| sleep(0) && sleep(0.001) && (seen << task.value) }

      assert_equal [1, 2], seen
    end
  end

  def test_the_block_can_leave_and_the_tasks_go_on
    in_reactor do
      slow = @barrier.spawn { sleep }
      @barrier.spawn { sleep(0) && :quick }

      assert_equal(:quick, @barrier.wait { |task| break task.value })
      assert_predicate slow, :alive?
      @barrier.cancel.wait
    end
  end

  def test_a_failure_cancels_the_others_of_the_barrier_and_only_those
    in_reactor do
      cleaned = false
      other = Evented { sleep }
      cause = nil
      @barrier.spawn do
        sleep
      rescue Evented::Cancel => e
        cause = e.cause
        raise
      ensure
        sleep(0) && (cleaned = true)
      end
      @barrier.spawn { sleep(0) && raise(Boom) }

      assert_raises(Boom) { @barrier.wait }
      assert_instance_of Boom, cause
      assert cleaned
      assert_empty @barrier
      sleep 0
      assert_predicate other, :alive?
      other.cancel
    end
  end

  def test_several_failures_arrive_together
    in_reactor do
      @barrier.spawn do
        sleep
      ensure
        raise ArgumentError, "while cleaning up"
      end
      @barrier.spawn { sleep(0) && raise(Boom) }

      error = assert_raises(Evented::MultipleErrors) { @barrier.wait }
      assert_equal [Boom, ArgumentError], error.errors.map(&:class)
      sleep 0
    end
  end

  def test_a_block_that_rescues_a_failure_has_heard_it
    in_reactor do
      @barrier.spawn { sleep(0) && raise(Boom) }
      @barrier.spawn { 2.times { sleep 0 } && :value }
      seen = []
      @barrier.wait { |task| seen << (task.wait rescue $!.class) } # rubocop:disable Style/RescueModifier

      assert_equal [Boom, :value], seen
      sleep 0
    end
  end

  def test_a_block_that_does_not_ask_hears_it_in_the_end
    in_reactor do
      @barrier.spawn { sleep(0) && raise(Boom) }
      assert_raises(Boom) { @barrier.wait { |task| assert_equal :failed, task.status } }
      sleep 0
    end
  end

  def test_a_cancelled_task_is_no_failure
    in_reactor do
      @barrier.spawn { sleep }.cancel
      @barrier.spawn { sleep 0 }
      seen = []
      @barrier.wait { |task| seen << task.status }

      assert_equal %i[cancelled completed], seen.sort
    end
  end

  def test_a_failure_while_nobody_waits_is_raised_in_the_parent
    assert_raises(Boom) do
      Evented do
        @barrier.spawn { sleep(0) && raise(Boom) }
        sleep
      end
    end
  end

  def test_a_failure_that_the_parent_has_not_met_yet_is_raised_at_the_barrier
    in_reactor do
      other = Evented { sleep }
      @barrier.spawn { raise Boom }
      assert_raises(Boom) { @barrier.wait }
      sleep 0
      assert_predicate other, :alive?
      other.cancel
    end
  end

  def test_a_failure_that_was_raised_in_the_parent_is_not_raised_again
    in_reactor do
      @barrier.spawn { sleep(0) && raise(Boom) }
      failed = @barrier.tasks
      assert_raises(Boom) { sleep }
      @barrier.wait
      @barrier.spawn { raise Boom }
      assert_raises(Boom) { sleep }
      @barrier.wait
      assert_equal 1, failed.size
    end
  end

  def test_a_failure_is_not_lost_if_the_wait_is_left_before
    in_reactor do
      @barrier.spawn { sleep(0) && raise(Boom) }
      @barrier.spawn { sleep }
      assert_equal(:left, @barrier.wait { break :left })
      assert_raises(Boom) { sleep }
      @barrier.cancel.wait
    end
  end

  def test_a_failure_is_not_lost_if_the_wait_for_the_clean_up_is_ended
    in_reactor do
      clean = Queue.new
      @barrier.spawn { sleep(0) && raise(Boom) }
      @barrier.spawn do
        sleep
      ensure
        clean.pop
      end
      assert_raises(Evented::TimeoutError) { Evented.timeout(0.001) { @barrier.wait } }
      assert_raises(Boom) { sleep }
      clean.close
      @barrier.wait
    end
  end

  def test_cancelling
    in_reactor do
      cleaned = 0
      tasks = Array.new(2) do
        @barrier.spawn do
          sleep
        ensure
          sleep(0) && (cleaned += 1)
        end
      end
      @barrier.cancel("no longer needed").wait

      assert_equal [2, %i[cancelled cancelled]], [cleaned, tasks.map(&:status)]
      assert_equal "no longer needed", tasks.first.result.reason
      assert_match(/barrier_test\.rb:#{__LINE__ - 4}/, tasks.first.result.site.to_s)
    end
  end

  def test_cancelling_who_waits_cancels_the_tasks_that_are_its_children
    in_reactor do
      cleaned = false
      waiting = Evented do
        @barrier.spawn do
          sleep
        ensure
          sleep(0) && (cleaned = true)
        end
        @barrier.wait
      end
      waiting.cancel

      assert_equal :cancelled, waiting.ended
      assert cleaned
      assert_empty @barrier
    end
  end

  def test_a_timeout_ends_the_wait_and_not_the_tasks
    in_reactor do
      task = @barrier.spawn { sleep }
      assert_raises(Evented::TimeoutError) { Evented.timeout(0.001) { @barrier.wait } }
      assert_predicate task, :alive?
      @barrier.cancel.wait
    end
  end

  def test_nested_barriers
    in_reactor do
      order = []
      @barrier.spawn do
        inner = Evented::Barrier.new
        2.times { inner.spawn { sleep(0) && (order << :inner) } }
        inner.wait
        order << :outer
      end
      @barrier.wait

      assert_equal %i[inner inner outer], order
    end
  end

  def test_it_forgets_tasks_that_have_ended
    in_reactor do
      20_000.times { |number| @barrier.spawn { sleep 0 if number.even? } && (number % 100).zero? && @barrier.wait }
      @barrier.wait

      assert_empty @barrier
      wait_until { GC.start || live_tasks < @others + 100 }
    end
  end

  def test_it_forgets_failures_that_were_heard
    in_reactor do
      500.times { assert_raises(Boom) { @barrier.spawn { raise Boom } && sleep(0) } }
      wait_until { GC.start || live_tasks < @others + 100 }
    end
  end

  def test_it_forgets_failures_that_the_block_hears_while_it_goes_on_waiting
    in_reactor do
      @barrier.spawn { 500.times { @barrier.spawn { sleep(0) && raise(Boom) }.ended } && forgotten }
      @barrier.wait { |task| task.ended == :failed && assert_raises(Boom) { task.value } }
    end
  end

  def test_a_forked_child_does_not_wait_for_the_tasks_of_its_parent
    output = output_of_ruby(<<~RUBY)
      barrier = Evented::Barrier.new
      Evented do
        task = barrier.spawn { sleep }
        Process.wait(fork { barrier.spawn { puts "a child's" }; barrier.wait; p barrier.size; exit! })
        p barrier.size
        task.cancel
      end
    RUBY

    assert_equal "a child's\n0\n1\n", output
  end

  def test_who_belongs_to_it_can_not_wait_at_it
    in_reactor do
      @barrier.spawn { sleep(0) && Evented { assert_match(/for itself/, refused { @barrier.wait }) } }
      @barrier.spawn { sleep(0) && assert_match(/for itself/, refused { @barrier.wait }) }
      @barrier.wait
    end
  end

  def test_only_one_can_wait_at_it
    in_reactor do
      task = @barrier.spawn { sleep }
      waiting = Evented { @barrier.wait }
      assert_match(/waits at this barrier already/, refused { @barrier.wait })
      task.cancel
      assert_same @barrier, waiting.value
    end
  end

  def test_a_barrier_of_another_thread_is_refused
    done = Queue.new
    thread = Thread.new { Evented.run { @barrier.spawn { done.pop } && @barrier.wait } }
    wait_until { @barrier.size == 1 }
    in_reactor do
      [-> { @barrier.wait }, -> { @barrier.cancel }, -> { @barrier.spawn { flunk } }].each do |call|
        assert_raises(Evented::WrongThreadError, &call)
      end
    end
    done.close
    thread.join
    in_reactor { @barrier.spawn { sleep 0 } && @barrier.wait }
  end

  def test_bad_input_is_refused
    in_reactor do
      assert_raises(ArgumentError) { @barrier.spawn }
      assert_raises(ArgumentError) { @barrier.spawn(color: 1) { flunk } }
      assert_raises(ArgumentError) { Evented::Barrier.new(1) }
    end
    assert_match(/wrap the code/, refused { @barrier.spawn { flunk } })
  end

  def test_a_circle_through_a_barrier_is_refused_whoever_comes_last
    Evented.run do
      barrier = Evented::Barrier.new
      waiting = nil
      last = barrier.spawn { sleep(0) && assert_raises(Evented::Error) { waiting.wait } }
      waiting = Evented { barrier.wait && :all_ended }
      assert_match(/can't end before it/, last.value.message)
      assert_equal :all_ended, waiting.value

      barrier = Evented::Barrier.new
      waiting = Evented do
        sleep 0
        assert_raises(Evented::Error) { barrier.wait }
      end
      barrier.spawn { waiting.wait }
      assert_match(/neither would ever go on/, waiting.value.message)
    end
  end

  private

  def refused(&) = assert_raises(Evented::Error, &).message

  def forgotten = wait_until { GC.start || live_tasks < @others + 100 }

  # (Other tests may have left some.)
  def live_tasks = ObjectSpace.each_object(Evented::Task).count
end
