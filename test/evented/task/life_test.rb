# frozen_string_literal: true

require "helper"
require "support/ruby_process"
require "support/scheduled"
require "timeout"

# When tasks end, and what becomes of failures.
class LifeTest < Minitest::Test
  class Boom < StandardError; end

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
    assert_match(/life_test/, error.backtrace.first)
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

  def test_a_callback_that_fails_is_a_failure_of_the_task
    assert_raises(Boom) { Evented { Evented { sleep 0 }.on_complete { raise Boom } } }
    assert_raises(NotImplementedError) { Evented { Evented { sleep 0 }.on_complete { raise NotImplementedError } } }
    assert_raises(SystemExit) { Evented { Evented { sleep 0 }.on_complete { exit } } }
  end
end
