# frozen_string_literal: true

require "helper"
require "timeout"

class Evented::TaskTest < Minitest::Test # rubocop:disable Style/ClassAndModuleChildren
  def test_its_life
    Evented.run do
      task = Evented { sleep(0) && :value }
      assert_equal [:running, true, "#<Evented::Task running>"], [task.status, task.alive?, task.inspect]

      assert_equal :value, task.wait
      assert_equal [:completed, false, "#<Evented::Task completed>"], [task.status, task.alive?, task.inspect]
    end
  end

  def test_its_value_can_be_asked_for_again
    Evented.run do
      task = Evented { :value }

      assert_equal %i[value value], [task.value, task.value]
    end
  end

  def test_its_failure_is_raised_for_everyone_who_waits
    Evented.run do
      task = Evented { sleep(0) && raise(ArgumentError, "it failed") }
      errors = Array.new(3) { Evented { assert_raises(ArgumentError) { task.wait } } }.map(&:value)

      assert_equal ["it failed"], errors.map(&:message).uniq
      assert_equal :failed, task.status
    end
  end

  def test_another_thread_waits_for_it
    queue = Queue.new
    waiter = Thread.new { queue.pop.value }
    Evented.run { queue << Evented { sleep(0.01) && :value } }

    assert_equal :value, waiter.value
  end

  def test_the_block_is_given_its_task
    Evented.run { |task| assert_same Evented::Task.current, task }
    Evented.run do |outer|
      Evented { |inner| refute_same outer, inner }
    end
  end

  def test_current_is_the_task_of_the_fiber
    Evented.run do |outer|
      Evented do |inner|
        sleep 0
        assert_same inner, Evented::Task.current
      end
      assert_same outer, Evented::Task.current
      Fiber.schedule { assert_same outer, Evented::Task.current }
    end
  end

  def test_there_is_no_current_task_outside
    assert_nil Evented::Task.current?
    assert_match(/wrap the code in Evented/, assert_raises(Evented::Error) { Evented::Task.current }.message)
    Evented.run { Thread.new { assert_nil Evented::Task.current? }.join }
    Evented.run { assert_nil Enumerator.new { |yielder| yielder << Evented::Task.current? }.size }
  end

  def test_an_enumerator_belongs_to_the_task_that_uses_it
    Evented.run do |task|
      assert_same task, Enumerator.new { |yielder| yielder << Evented::Task.current? }.next
    end
  end

  def test_storage_is_inherited
    Fiber[:request] = 7
    Evented.run { Evented { assert_equal 7, Fiber[:request] } }
  ensure
    Fiber[:request] = nil
  end

  def test_tasks_in_tasks
    order = []
    Evented.run do
      Evented do
        Evented { sleep(0.002) && (order << :grandchild) }
        order << :child
      end
    end

    assert_equal %i[child grandchild], order
  end

  def test_a_task_that_waits_for_itself
    in_reactor do |task|
      Evented { sleep(0.001) && :others_go_on }
      assert_raises(Timeout::Error) { Timeout.timeout(0.01) { task.wait } }
    end
  end
end
