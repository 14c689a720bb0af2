# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"

# What EventMachine has nothing of.
class EMBridgesTest < Minitest::Test
  include EMRunning

  class Boom < StandardError; end

  def setup
    skip "EventMachine has no fibers" if ENV["EM_ORACLE"]
    @deferrable = EM::DefaultDeferrable.new
    @log = []
  end

  def test_a_fiber_waits_for_a_deferrable_while_others_go_on
    em do
      EM.fiber do
        @log << :waits
        @log << @deferrable.wait
        EM.stop
      end
      @log << :goes_on
      EM.add_timer(0.01) { @deferrable.succeed(:value) }
    end

    assert_equal %i[waits goes_on value], @log
  end

  def test_a_callback_may_wait
    em do
      EM.next_tick { (@log << @deferrable.wait) && EM.stop }
      EM.next_tick { EM.next_tick { (@log << :other) && @deferrable.succeed(:value) } }
    end

    assert_equal %i[other value], @log
  end

  def test_nothing_is_nil_one_value_is_itself_and_several_are_an_array
    assert_nil settled(:succeed).wait
    assert_equal 1, settled(:succeed, 1).wait
    assert_equal [1, 2], settled(:succeed, 1, 2).wait
    assert_equal [1], settled(:succeed, [1]).wait
  end

  def test_a_failure_is_raised
    error = Boom.new("it failed")

    assert_same(error, assert_raises(Boom) { settled(:fail, error, 1).wait })
    failed = assert_raises(EM::DeferrableFailed) { settled(:fail, "file not found", 2).wait }
    assert_equal ["file not found", 2], failed.arguments
    assert_equal 'the deferrable failed: "file not found", 2', failed.message
    assert_kind_of Evented::Error, failed
    assert_equal "the deferrable failed", assert_raises(EM::DeferrableFailed) { settled(:fail).wait }.message
  end

  def test_waiting_can_be_limited_and_then_nothing_of_it_stays
    em do
      assert_raises(Evented::TimeoutError) { @deferrable.wait(timeout: 0.01) }
      EM.stop
    end

    assert_equal([[], []], %i[@callbacks @errbacks].map { |name| @deferrable.instance_variable_get(name) })
  end

  def test_a_task_that_waits_can_be_cancelled_and_then_nothing_of_it_stays
    Evented do
      task = Evented { @deferrable.wait }
      task.cancel
      assert_raises(Evented::Cancel) { task.wait }
    end

    assert_empty @deferrable.instance_variable_get(:@callbacks)
  end

  def test_several_wait_for_one
    em do
      2.times { |n| EM.fiber { @log << [n, @deferrable.wait] } }
      @deferrable.callback { EM.stop }
      @deferrable.succeed(1)
    end

    assert_equal [[0, 1], [1, 1]], @log
  end

  def test_one_waits_for_a_completion_too
    completion = EM::Completion.new
    em do
      EM.add_timer(0.01) { completion.succeed(1, 2) }
      @log << completion.wait
      EM.stop
    end

    assert_equal [[1, 2]], @log
  end

  def test_a_promise_is_turned_into_a_deferrable
    promise = Evented::Promise.new
    failing = Evented::Promise.new
    em do
      promise.to_deferrable.callback { |value| @log << [value, EM.reactor_thread?] }
      failing.to_deferrable.errback { |error| (@log << [error.message, EM.reactor_thread?]) && EM.stop }
      Thread.new { promise.resolve(1) && failing.reject("no") }
    end

    assert_equal [[1, true], ["no", true]], @log
  end

  def test_without_a_reactor_it_is_settled_where_the_promise_is
    promise = Evented::Promise.new
    promise.to_deferrable.callback { |value| @log << value }
    promise.resolve(1)

    assert_equal [1], @log
    assert_raises(Boom) { Evented::Promise.new.reject(Boom.new).to_deferrable.wait }
  end

  def test_what_was_asked_for_in_a_reactor_that_has_ended_is_settled_all_the_same
    promise = Evented::Promise.new
    deferrable = nil
    em do
      deferrable = promise.to_deferrable
      EM.stop
    end
    promise.resolve(1)

    assert_equal 1, deferrable.wait
  end

  def test_a_task_is_turned_into_a_deferrable
    em do
      Evented { sleep(0.001) && :value }.to_deferrable.callback { |value| @log << value }
      Evented { sleep(0.002) && raise(Boom, "no") }.to_deferrable.errback { |error| (@log << error.message) && EM.stop }
    end

    assert_equal [:value, "no"], @log
  end

  def test_a_task_that_is_cancelled_fails
    em do
      task = Evented { sleep }
      task.to_deferrable.errback { |error| (@log << error.class) && EM.stop }
      task.cancel
    end

    assert_equal [Evented::Cancel], @log
  end

  def test_a_task_that_has_ended_is_turned_into_a_deferrable_too
    Evented do
      task = Evented { 1 }

      assert_equal 1, task.to_deferrable.wait
    end
  end

  def test_what_a_callback_of_such_a_deferrable_raises_is_not_the_tasks
    task = nil
    error = assert_raises(Boom) do
      em do
        task = Evented { sleep(0.001) && :value }
        task.to_deferrable.callback { raise Boom, "in the callback" }
      end
    end

    assert_equal ["in the callback", :value], [error.message, task.value]
  end

  def test_what_a_fiber_raises_goes_to_the_error_handler
    EM.error_handler { |error| (@log << error.message) && EM.stop }
    em { EM.fiber { raise Boom, "in a fiber" } }

    assert_equal ["in a fiber"], @log
  end

  def test_without_a_handler_what_a_fiber_raises_ends_the_reactor
    error = assert_raises(Boom) { em { EM.fiber { sleep(0.001) && raise(Boom, "in a fiber") } } }

    assert_equal "in a fiber", error.message
  end

  def test_a_fiber_needs_a_reactor_and_a_block
    assert_raises(ArgumentError) { EM.fiber }
    assert_match(/not initialized/, assert_raises(RuntimeError) { EM.fiber { nil } }.message)
  end

  private

  def settled(how, *values) = EM::DefaultDeferrable.new.tap { |deferrable| deferrable.__send__(how, *values) }
end
