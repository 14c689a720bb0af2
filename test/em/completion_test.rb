# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"

class EMCompletionTest < Minitest::Test
  include EMRunning

  class Boom < StandardError; end

  def setup
    @completion = EM::Completion.new
    @log = []
  end

  def test_it_begins_in_an_unknown_state
    assert_equal [:unknown, [], false, %i[succeeded failed]],
                 [@completion.state, @completion.value, @completion.completed?, @completion.completion_states]
    assert_kind_of EM::Deferrable, @completion
  end

  def test_its_callbacks_get_what_it_succeeds_with
    passes do
      @completion.callback { |*values| @log << values }
      @completion.errback { @log << :errback }
      @completion.succeed(:a, :b)
    end

    assert_equal [%i[a b]], @log
    assert_equal [:succeeded, %i[a b], true], [@completion.state, @completion.value, @completion.completed?]
  end

  def test_its_errbacks_get_what_it_fails_with
    passes do
      @completion.errback { |*values| @log << values }
      @completion.callback { @log << :callback }
      @completion.fail("no")
    end

    assert_equal [["no"]], @log
    assert_equal :failed, @completion.state
  end

  def test_what_is_added_later_is_called_soon
    passes do
      @completion.succeed(1)
      @completion.callback { |value| @log << value }
      @completion.errback { @log << :errback }
      @completion.completion { |value| @log << [:completed, value] }
    end

    assert_equal [1, [:completed, 1]], @log
  end

  def test_whatever_comes_of_it_is_told_after_that_itself
    passes do
      @completion.completion { |value| @log << [:completed, value] }
      @completion.callback { |value| @log << [:succeeded, value] }
      @completion.succeed(1)
    end
    failed = EM::Completion.new
    passes do
      failed.completion { |value| @log << [:completed, value] }
      failed.errback { |value| @log << [:failed, value] }
      failed.fail(2)
    end

    assert_equal [[:succeeded, 1], [:completed, 1], [:failed, 2], [:completed, 2]], @log
  end

  def test_on_the_reactors_thread_it_is_told_at_once
    em do
      @completion.callback { |value| @log << value }
      @completion.succeed(1)
      assert_equal [1], @log
      @completion.callback { |value| @log << (value + 1) }
      assert_equal [1, 2], @log
      EM.stop
    end
  end

  def test_without_a_reactor_what_is_added_later_is_called_at_once_and_the_others_when_one_runs
    @completion.callback { @log << :before }
    @completion.succeed
    assert_empty @log
    @completion.completion { @log << :completed }
    assert_equal %i[before completed], @log
    @completion.callback { @log << :after }
    assert_equal %i[before completed after], @log
  end

  def test_the_state_that_it_is_in_counts_when_the_reactor_comes_to_it
    @completion.callback { @log << :callback }
    @completion.errback { @log << :errback }
    @completion.succeed
    @completion.fail
    passes

    assert_equal %i[errback], @log
  end

  def test_what_is_not_to_be_called_any_more_has_the_others_called
    @completion.callback { @log << :callback }
    @completion.succeed
    @completion.errback { @log << :errback }
    assert_equal %i[callback], @log
    @completion.fail
    passes

    assert_equal %i[callback], @log
  end

  def test_another_thread_may_complete_it
    em do
      @completion.callback { |value| (@log << [value, EM.reactor_thread?]) && EM.stop }
      Thread.new { @completion.succeed(1) }
    end

    assert_equal [[1, true]], @log
  end

  def test_what_is_given_for_any_state_is_called_when_it_is_entered
    passes do
      @completion.stateback(:half) { |*values| @log << [:half, values] }
      @completion.callback { @log << :done }
      @completion.change_state(:half, 50)
      assert_equal [:half, [50], false], [@completion.state, @completion.value, @completion.completed?]
      @completion.succeed
    end

    assert_equal [[:half, [50]], :done], @log
  end

  def test_what_is_given_for_a_state_that_it_is_in_but_that_does_not_complete_it
    passes do
      @completion.change_state(:half, 1)
      @completion.stateback(:half) { |value| @log << value }
      @completion.change_state(:half, 2)
    end

    assert_equal [1], @log
  end

  def test_what_is_given_for_a_state_is_called_once
    passes do
      @completion.stateback(:half) { |value| @log << value }
      @completion.change_state(:half, 1)
      @completion.change_state(:half, 2)
    end

    assert_equal [1], @log
  end

  def test_a_subclass_may_have_other_states_that_complete_it
    klass = Class.new(EM::Completion) { def completion_states = super + [:given_up] }
    completion = klass.new
    passes do
      completion.completion { |value| @log << [:completed, value] }
      completion.stateback(:given_up) { |value| @log << [:given_up, value] }
      completion.callback { @log << :never }
      completion.change_state(:given_up, 1)
    end

    assert_predicate completion, :completed?
    assert_equal [[:given_up, 1], [:completed, 1]], @log
  end

  def test_what_is_forgotten_when_it_is_completed
    passes do
      @completion.callback { @log << :callback }
      @completion.errback { @log << :errback }
      @completion.stateback(:half) { @log << :half }
      @completion.succeed
      @completion.fail
      @completion.change_state(:half)
    end

    # As in EventMachine, only what completes it is forgotten.
    assert_equal %i[callback half], @log
  end

  def test_a_callback_can_change_the_value_for_those_that_follow
    passes do
      @completion.callback { |value| (@log << value) && @completion.succeed(:changed) }
      @completion.callback { |value| @log << value }
      @completion.completion { |value| @log << [:completed, value] }
      @completion.succeed(:first)
    end

    assert_equal [:first, :changed, %i[completed changed]], @log
  end

  def test_a_callback_that_makes_it_fail
    passes do
      @completion.callback { (@log << :callback) && @completion.fail(:now) }
      @completion.callback { |value| @log << [:second, value] }
      @completion.errback { |value| @log << [:errback, value] }
      @completion.completion { |value| @log << [:completed, value] }
      @completion.succeed(1)
    end

    assert_equal [:callback, %i[errback now], %i[completed now]], @log
    assert_equal :failed, @completion.state
  end

  def test_callbacks_can_be_taken_back
    called = -> { @log << :called }
    passes do
      @completion.callback(called)
      @completion.errback(called)
      @completion.cancel_callback(called)
      @completion.cancel_errback(called)
      @completion.succeed
      @completion.fail
    end

    assert_empty @log
  end

  def test_it_fails_when_the_time_is_up
    em do
      @completion.timeout(0.01, :late)
      @completion.errback { |reason| (@log << reason) && EM.stop }
    end

    assert_equal [:late], @log
  end

  def test_the_timeout_ends_when_it_is_completed_or_taken_back
    taken_back = EM::Completion.new
    em do
      [@completion, taken_back].each { |one| one.timeout(0.01) && one.completion { @log << one.state } }
      @completion.succeed
      taken_back.cancel_timeout
      EM.add_timer(0.05) { EM.stop }
    end

    assert_equal [:succeeded], @log
    assert_equal :unknown, taken_back.state
  end

  def test_it_has_the_old_names
    passes do
      @completion.callback { |value| @log << value }
      @completion.set_deferred_success(1)
      failed = EM::Completion.new
      failed.errback { |value| @log << value }
      failed.set_deferred_failure(2)
      third = EM::Completion.new
      third.callback { |value| @log << value }
      third.set_deferred_status(:succeeded, 3)
    end

    assert_equal [1, 2, 3], @log
  end

  def test_what_is_told_of_completion_while_that_goes_on_waits_its_turn
    passes do
      @completion.callback { @completion.completion { @log << :completed } && (@log << :first) }
      @completion.callback { @log << :second }
      @completion.succeed
    end

    assert_equal %i[second completed first], @log
  end

  def test_a_method_can_be_called
    passes do
      @completion.callback(@log, :push)
      @completion.succeed(1)
    end

    assert_equal [1], @log
  end

  def test_an_error_in_a_callback_leaves_the_others_for_the_next_time
    passes do
      @completion.callback { raise Boom }
      @completion.callback { |value| @log << value }
      assert_raises(Boom) { @completion.succeed(1) }
      @completion.succeed(2)
    end

    assert_equal [2], @log
  end
end
