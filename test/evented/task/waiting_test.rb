# frozen_string_literal: true

require "helper"
require "support/ruby_process"
require "support/scheduled"
require "timeout"

# Who may wait for a task, and what that gets.
class WaitingTest < Minitest::Test
  class Boom < StandardError; end

  def test_its_value_can_be_asked_for_again_and_by_any_thread_once_it_has_ended
    task = Evented { Evented { :value }.tap(&:wait).value }

    assert_equal %i[value value], [task.value, Thread.new { task.value }.value]
  end

  def test_its_failure_is_raised_for_everyone_who_waits
    Evented.run do
      task = Evented { sleep(0.001) && raise(Boom, "it failed") }
      errors = Array.new(3) { Evented { assert_raises(Boom) { task.wait } } }.map(&:value)

      assert_equal ["it failed"], errors.map(&:message).uniq
      assert_equal [:failed, Boom], [task.status, task.result.class]
    end
  end

  def test_circles_of_waiting_tasks_are_refused
    Evented.run do |root|
      assert_match(/wait for itself/, assert_raises(Evented::Error) { root.wait }.message)
      Evented { assert_match(/neither would ever go on/, assert_raises(Evented::Error) { root.wait }.message) }
      other = nil
      one = Evented { sleep(0) && other.wait }
      other = Evented { sleep(0) && assert_raises(Evented::Error) { one.wait } && :out_of_it }

      assert_equal :out_of_it, one.value
    end
  end

  def test_a_task_of_another_thread_is_refused
    task = nil
    done = Queue.new
    thread = Thread.new { Evented.run { |mine| (task = mine) && done.pop } }
    wait_until { task }
    Evented.run do
      %i[wait cancel].each do |method|
        assert_match(/another thread's/, assert_raises(Evented::WrongThreadError) { task.public_send(method) }.message)
      end
      assert_raises(Evented::WrongThreadError) { task.spawn { flunk } }
    end
    done << :value

    assert_equal :value, thread.value
    assert_equal :value, task.value
  end

  def test_a_task_of_a_reactor_that_is_closed
    task = Evented { :value }

    assert_equal :value, task.wait
    refute task.cancel
    assert_raises(Evented::Error) { task.spawn { flunk } }
  end
end
