# frozen_string_literal: true

require "helper"
require "support/ruby_process"
require "support/scheduled"
require "timeout"

class Evented::TaskTest < Minitest::Test # rubocop:disable Style/ClassAndModuleChildren
  class Boom < StandardError; end

  def test_its_life
    Evented.run do
      task = Evented { sleep(0.001) && :value }
      assert_equal [:waiting, true, nil], [task.status, task.alive?, task.result]

      assert_equal :value, task.wait
      assert_equal [:completed, false, :value], [task.status, task.alive?, task.result]
      assert_equal "#<Evented::Task completed>", task.inspect
    end
  end

  def test_it_is_running_as_long_as_it_does_not_wait
    Evented.run { |task| assert_equal :running, task.status }
  end

  def test_it_says_what_it_is
    Evented.run do
      task = Evented(name: "fetch") { |me| me.annotate("page 2") && sleep }
      assert_equal %(#<Evented::Task "fetch" waiting (page 2)>), task.inspect
      task.cancel
      assert_match(/\A#<Evented::Task .*task_test\.rb:#{__LINE__} waiting>\z/, (nameless = Evented { sleep }).inspect)
      nameless.cancel
    end
  end

  def test_an_annotation_of_a_block_ends_with_it
    Evented.run do |task|
      task.annotate("outer")
      assert_equal(:value, task.annotate("inner") { task.annotation == "inner" && :value })
      assert_equal "outer", task.annotation
    end
  end

  def test_the_block_is_given_its_task
    Evented.run { |task| assert_same Evented::Task.current, task }
    Evented.run do |outer|
      Evented { |inner| assert_same outer, inner.parent }
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
      assert_same outer, Enumerator.new { |yielder| yielder << Evented::Task.current? }.next
    end
  end

  def test_there_is_no_current_task_outside
    assert_nil Evented::Task.current?
    assert_match(/wrap the code in Evented/, assert_raises(Evented::Error) { Evented::Task.current }.message)
    Evented.run { Thread.new { assert_nil Evented::Task.current? }.join }
  end

  def test_storage_is_inherited
    Fiber[:request] = 7
    Evented.run { Evented { assert_equal 7, Fiber[:request] } }
  ensure
    Fiber[:request] = nil
  end

  def test_callbacks_are_called_when_it_has_ended
    Evented.run do
      seen = []
      task = Evented { sleep(0) && :value }
      assert_same(task, task.on_complete { |ended| seen << ended.status })
      task.on_complete(seen.method(:<<))
      task.wait
      task.on_complete { seen << :at_once }

      assert_equal [:completed, task, :at_once], seen
    end
  end

  def test_bad_input_is_refused
    Evented.run do |task|
      assert_raises(ArgumentError) { task.spawn }
      assert_raises(ArgumentError) { task.spawn(color: 1) { flunk } }
      assert_raises(ArgumentError) { Evented(color: 1) { flunk } }
      assert_raises(ArgumentError) { task.on_complete }
      assert_raises(ArgumentError) { task.on_complete(:nothing_to_call) }
      assert_raises(ArgumentError) { Evented.shield }
    end
  end

  def test_in_a_scheduler_that_was_set_by_hand_it_waits_as_at_top_level
    scheduled do
      order = []
      value = Evented { Evented { sleep(0.001) && (order << :child) } && :value }.value

      assert_equal [[:child], :value], [order, value]
      assert_raises(Boom) { Evented { raise Boom } }
    end
  end
end
