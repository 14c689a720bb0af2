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

  def test_it_ends_when_its_children_have_ended
    order = []
    Evented.run do
      parent = Evented do
        Evented { sleep(0.002) && (order << :grandchild) }
        order << :block
      end
      assert_equal 1, parent.children.size
      parent.wait
      order << :waited

      assert_empty parent.children
    end

    assert_equal %i[block grandchild waited], order
  end

  def test_children_can_be_started_from_elsewhere_as_long_as_it_has_not_ended
    Evented.run do
      parent = Evented { Evented { sleep 0.001 } }
      child = parent.spawn(name: "late") { :value }

      assert_same parent, child.parent
      parent.wait
      assert_match(/has ended/, assert_raises(Evented::Error) { parent.spawn { flunk } }.message)
    end
  end

  def test_transient_children_keep_nobody
    cleaned = false
    Evented do |task|
      task.spawn(transient: true) do
        sleep
      ensure
        cleaned = true
      end
      Evented { sleep 0.001 }
    end

    assert cleaned
  end

  def test_a_failure_that_nobody_waits_for_cancels_the_others_and_is_raised_in_the_parent
    order = []
    error = assert_raises(Boom) do
      Evented do
        Evented { sleep(0.001) && raise(Boom) }
        Evented do
          sleep
        ensure
          order << :sibling
        end
        begin
          sleep
        ensure
          order << :parent
        end
      end
    end

    assert_equal %i[parent sibling], order.sort
    assert_match(/task_test/, error.backtrace.first)
  end

  def test_it_is_also_raised_when_the_parent_has_only_to_wait_for_its_children
    cleaned = false
    assert_raises(Boom) do
      Evented do
        Evented { sleep(0.001) && raise(Boom) }
        Evented do
          sleep
        ensure
          cleaned = true
        end
      end
    end

    assert cleaned
  end

  def test_the_parent_may_rescue_it
    Evented.run do
      Evented { sleep(0.001) && raise(Boom) }
      assert_raises(Boom) { sleep }
      assert_equal(:fine, Evented { sleep(0) && :fine }.value)
    end
  end

  def test_a_child_that_fails_at_once_can_still_be_waited_for
    Evented.run do
      sibling = Evented { sleep(0.001) && :not_cancelled }
      children = Array.new(2) { Evented { raise Boom } }
      children.each { |child| assert_raises(Boom) { child.wait } }

      assert_equal :not_cancelled, sibling.value
    end
  end

  def test_however_many_children_fail_at_once_none_of_them_is_raised_by_starting_it
    Evented.run do
      100.times do
        child = Evented { raise Boom }
        assert_raises(Boom) { child.wait }
      end
    end
  end

  def test_several_failures_arrive_together
    error = assert_raises(Evented::MultipleErrors) do
      Evented { 3.times { |n| Evented { raise Boom, "number #{n}" } } }
    end

    assert_equal ["number 0", "number 1", "number 2"], error.errors.map(&:message)
    assert_same error.errors.first, error.cause
    assert_match(/3 failures.*number 2/m, error.message)
  end

  def test_failures_of_the_clean_up_are_not_lost
    error = assert_raises(Evented::MultipleErrors) do
      Evented do
        Evented do
          sleep
        ensure
          raise ArgumentError, "while cleaning up"
        end
        sleep(0) && raise(Boom)
      end
    end

    assert_equal [Boom, ArgumentError], error.errors.map(&:class)
  end

  def test_cancelling_raises_where_it_waits_and_lets_it_clean_up
    Evented.run do
      order = []
      task = Evented do
        sleep
      rescue StandardError
        flunk
      ensure
        sleep(0.001) && (order << :cleaned)
      end

      assert task.cancel("no longer needed")
      error = assert_raises(Evented::Cancel) { task.wait }
      assert_equal ["no longer needed", :cancelled], [error.reason, task.status]
      assert_match(/task_test\.rb:#{__LINE__ - 3}/, error.site.to_s)
      assert_equal [:cleaned], order
    end
  end

  def test_every_kind_of_wait_can_be_cancelled
    reader, _writer = IO.pipe
    _reader, writer = IO.pipe
    waits = {
      sleep: -> { sleep }, queue: -> { Queue.new.pop }, read: -> { reader.read }, select: -> { IO.select([reader]) },
      write: -> { writer.write("x" * 1_000_000) }, system: -> { system("sleep 60") }, turn: -> { loop { sleep 0 } },
      enumerator: -> { Enumerator.new { |yielder| yielder << sleep }.next }, task: -> { Evented { sleep }.wait }
    }
    Evented.run do
      tasks = waits.transform_values { |wait| Evented { wait.call } }
      sleep 0.001
      tasks.each_value(&:cancel)

      assert_equal waits.transform_values { :cancelled }, tasks.transform_values(&:ended)
    end
  end

  def test_children_are_cancelled_with_it
    Evented.run do
      child = nil
      parent = Evented { (child = Evented { sleep }) && sleep }
      parent.cancel

      assert_equal %i[cancelled cancelled], [parent.ended, child.status]
    end
  end

  def test_what_the_siblings_of_a_failed_task_are_cancelled_with_names_the_cause
    cause = nil
    assert_raises(Boom) do
      Evented do
        Evented { sleep(0.001) && raise(Boom) }
        Evented do
          sleep
        rescue Evented::Cancel => e
          cause = e.cause
          raise
        end
      end
    end

    assert_instance_of Boom, cause
  end

  def test_cancelling_again_does_not_disturb_the_clean_up
    Evented.run do
      cleaned = false
      task = Evented do
        sleep
      ensure
        sleep(0.002) && (cleaned = true)
      end
      task.cancel("first")
      sleep 0.001

      refute task.cancel("second")
      assert_equal "first", assert_raises(Evented::Cancel) { task.wait }.reason
      assert cleaned
      refute task.cancel
    end
  end

  def test_cancelling_oneself_takes_effect_at_the_next_wait
    Evented.run do
      order = []
      task = Evented do |me|
        me.cancel
        order << :went_on
        sleep 0
        order << :never
      end

      assert_equal :cancelled, task.ended
      assert_equal [:went_on], order
    end
  end

  def test_a_cancelled_read_that_had_succeeded_is_cancelled_at_the_next_wait
    one, other = UNIXSocket.pair
    Evented.run do
      got = []
      task = Evented { loop { got << one.readpartial(1) } }
      other.write("x")
      wait_until { got.any? }
      other.write("y")
      task.cancel

      assert_equal :cancelled, task.ended
      rest = one.read_nonblock(1, exception: false)
      assert_equal "xy", [*got, *(rest unless rest == :wait_readable)].join
    end
  end

  def test_a_root_that_is_cancelled
    task = Evented { |me| me.cancel && sleep }

    assert_equal :cancelled, task.status
    assert_raises(Evented::Cancel) { Evented.run { |me| me.cancel && sleep } }
  end

  def test_one_whose_children_start_children_of_it_is_cancelled_where_it_waits
    # After 16 fibers in one turn the starting one goes on later, and these do so in another order.
    statuses = (10..16).map do |count|
      Evented.run do
        task = Evented do |me|
          count.times { Evented { nil } }
          Evented { me.spawn { nil } }
          sleep 0.5
        end
        sleep 0
        task.cancel
        task.ended
      end
    end

    assert_equal [:cancelled], statuses.uniq
  end

  def test_a_fiber_that_it_has_scheduled_does_not_take_its_cancellation
    order = []
    Evented.run do
      task = Evented do |me|
        me.cancel
        Fiber.schedule { sleep(0.001) && (order << :scheduled) }
        sleep 0.5
      ensure
        order << :cancelled
      end
      assert_equal :cancelled, task.ended
    end

    assert_equal %i[cancelled scheduled], order
  end

  def test_a_childs_failure_does_not_interrupt_its_clean_up
    errors = []
    Evented.run do
      task = Evented do |me|
        Evented.shield do
          Evented { raise Boom, "a child" }
          me.cancel
        end
        sleep 0.5
      ensure
        errors << outcome { sleep(0.001) && :clean }
      end
      errors << outcome { task.wait }.class
    end

    assert_equal [:clean, Boom], errors
  end

  def test_a_shield_puts_it_off
    Evented.run do
      order = []
      task = Evented do
        Evented.shield { sleep(0.002) && (order << :whole) }
        sleep
      ensure
        order << :cancelled
      end
      task.cancel

      assert_equal :cancelled, task.ended
      assert_equal %i[whole cancelled], order
    end
  end

  def test_a_shield_may_have_a_limit
    Evented.run do
      task = Evented { Evented.shield(timeout: 0.001) { sleep } }
      task.cancel

      assert_equal :cancelled, task.ended
    end
  end

  def test_the_limit_of_a_shield_holds_nobody_up
    passed = Evented::Testing.virtual_time do
      began = Evented.clock
      Evented { Evented.shield(timeout: 3600) { sleep 1 } }.tap(&:cancel).ended
      Evented { Evented.clock - began }.value
    end

    assert_in_delta 1, passed, 1e-6
    began = Evented.clock
    Evented { Evented { Evented.shield(timeout: 3600) { sleep 0.001 } }.cancel }
    assert_operator Evented.clock - began, :<, 3600
  end

  def test_a_killed_fiber_ends_its_task
    Evented.run do
      task = Evented { Evented { sleep } && sleep }
      task.fiber.kill

      assert_equal :cancelled, task.ended
    end
  end

  def test_exit_ends_the_process_and_cleans_up
    output, _, status = ruby(<<~RUBY)
      Evented do
        Evented { begin; sleep; ensure; puts "cleaned"; end }
        Evented { sleep 0.001; exit 3 }
        sleep
      end
    RUBY

    assert_equal ["cleaned\n", 3], [output, status.exitstatus]
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

  def test_a_callback_that_fails_is_a_failure_of_the_task
    assert_raises(Boom) { Evented { Evented { sleep 0 }.on_complete { raise Boom } } }
    assert_raises(NotImplementedError) { Evented { Evented { sleep 0 }.on_complete { raise NotImplementedError } } }
    assert_raises(SystemExit) { Evented { Evented { sleep 0 }.on_complete { exit } } }
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
