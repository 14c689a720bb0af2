# frozen_string_literal: true

require "helper"
require "support/ruby_process"
require "support/scheduled"
require "timeout"

# How tasks are told to stop, and what they do then.
class CancellationTest < Minitest::Test
  class Boom < StandardError; end

  def test_a_shield_protects_what_is_started_inside_it
    order = []
    Evented.run do
      outside = nil
      task = Evented do
        outside = Evented { sleep }
        Evented.shield do
          order.concat(Evented.all(-> { sleep(0.001) && :all }, -> { :of }))
          Evented { sleep(0.001) && (order << :them) }.wait
        end
        sleep
        order << :never
      end
      task.cancel
      assert_equal :cancelled, task.ended
      assert_equal :cancelled, outside.status
    end

    assert_equal %i[all of them], order
  end

  def test_what_is_started_inside_a_shield_and_left_there_is_cancelled_with_it
    Evented.run do
      left = nil
      task = Evented { Evented.shield { left = Evented { sleep } } && sleep }
      task.cancel
      assert_equal %i[cancelled cancelled], [task.ended, left.ended]
    end
  end

  def test_the_limit_of_a_shield_ends_what_was_started_inside_it_too
    cleaned = []
    Evented.run do
      task = Evented do
        Evented.shield(timeout: 0.001) { Evented { sleep }.wait }
      ensure
        # It has been raised, and is not again.
        cleaned << sleep(0.001)
      end
      task.cancel
      assert_equal :cancelled, task.ended
    end

    assert_equal 1, cleaned.size
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
      assert_match(/cancellation_test\.rb:#{__LINE__ - 3}/, error.site.to_s)
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

  def test_a_root_that_is_cancelled
    task = Evented { |me| me.cancel && sleep }

    assert_equal :cancelled, task.status
    assert_raises(Evented::Cancel) { Evented.run { |me| me.cancel && sleep } }
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

  def test_the_limit_of_an_inner_shield_does_not_open_the_outer_one
    order = []
    Evented.run do
      task = Evented do
        Evented.shield do
          Evented.shield(timeout: 0.001) { sleep(0.005) && (order << :inner) }
          Evented { sleep(0.001) && (order << :task) }.wait
        end
        sleep
      end
      task.cancel
      assert_equal :cancelled, task.ended
    end

    assert_equal %i[inner task], order
  end

  def test_the_limit_of_an_outer_shield_holds_for_the_inner_one_from_the_beginning
    Evented.run do
      task = Evented { Evented.shield(timeout: 0.001) { Evented.shield(timeout: 0.002) { sleep } } }
      task.cancel
      assert_equal :cancelled, task.ended
    end
  end

  def test_what_was_started_in_a_shield_that_has_ended_is_not_sheltered_by_another
    Evented.run do
      task = Evented do
        child = Evented.shield { Evented { sleep } }
        Evented.shield { child.ended }
      end
      task.cancel
      # It has not waited outside of a shield.
      assert_equal :cancelled, task.value
    end
  end

  def test_the_limit_of_a_shield_is_a_number_of_seconds
    Evented.run do
      assert_match(/at least 0/, assert_raises(ArgumentError) { Evented.shield(timeout: -1) { flunk } }.message)
      assert_match(/number/, assert_raises(TypeError) { Evented.shield(timeout: "x") { flunk } }.message)
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
end
