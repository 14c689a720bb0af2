# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"

class DeferrableTest < Minitest::Test
  include EMRunning

  class Boom < StandardError; end

  def setup
    @deferrable = EM::DefaultDeferrable.new
    @log = []
  end

  def test_callbacks_are_called_in_order_with_what_it_succeeds_with
    assert_same(@deferrable, @deferrable.callback { |*values| @log << [1, values] })
    @deferrable.callback { |value| @log << [2, value] }.errback { @log << :errback }
    assert_empty @log
    @deferrable.succeed(:a, :b)

    assert_equal [[1, %i[a b]], [2, :a]], @log
  end

  def test_errbacks_are_called_in_order_with_what_it_fails_with
    assert_same(@deferrable, @deferrable.errback { |*values| @log << [1, values] })
    @deferrable.errback { @log << 2 }.callback { @log << :callback }
    @deferrable.fail("no", 5)

    assert_equal [[1, ["no", 5]], 2], @log
  end

  def test_a_callback_added_after_success_runs_at_once
    @deferrable.succeed(1)
    @deferrable.errback { @log << :errback }
    assert_same(@deferrable, @deferrable.callback { |value| @log << value })

    assert_equal [1], @log
  end

  def test_an_errback_added_after_failure_runs_at_once
    @deferrable.fail(1)
    @deferrable.callback { @log << :callback }
    assert_same(@deferrable, @deferrable.errback { |value| @log << value })

    assert_equal [1], @log
  end

  def test_nothing_is_nothing_to_call
    assert_nil @deferrable.callback
    assert_nil @deferrable.errback
    @deferrable.succeed
    assert_nil @deferrable.callback
  end

  def test_a_callback_can_change_the_values_for_those_that_follow
    @deferrable.callback { |value| (@log << [1, value]) && @deferrable.succeed(:changed) }
    @deferrable.callback { |value| @log << [2, value] }
    @deferrable.callback { |value| @log << [3, value] }
    @deferrable.succeed(:first)

    assert_equal [[1, :first], [2, :changed], [3, :changed]], @log
  end

  def test_values_can_change_in_several_steps
    @deferrable.callback { |value| (@log << value) && @deferrable.succeed(value + 1) }
    @deferrable.callback { |value| (@log << value) && @deferrable.succeed(value + 1) }
    @deferrable.callback { |value| @log << value }
    @deferrable.succeed(1)
    @deferrable.callback { |value| @log << value }

    assert_equal [1, 2, 3, 3], @log
  end

  def test_a_callback_that_makes_it_fail_has_the_errbacks_called_and_no_other_callback
    @deferrable.callback { @log << :callback and @deferrable.fail(:now) }
    @deferrable.callback { @log << :second }
    @deferrable.errback { |reason| @log << reason }
    @deferrable.succeed

    assert_equal %i[callback now], @log
  end

  def test_an_errback_that_makes_it_succeed_has_the_callbacks_called_and_no_other_errback
    @deferrable.errback { @log << :errback and @deferrable.succeed(:after_all) }
    @deferrable.errback { @log << :second }
    @deferrable.callback { |value| @log << value }
    @deferrable.fail

    assert_equal %i[errback after_all], @log
  end

  def test_callbacks_that_are_added_by_a_callback_run_at_once
    @deferrable.callback { @deferrable.callback { @log << :inner } && (@log << :outer) }
    @deferrable.callback { @log << :last }
    @deferrable.succeed

    assert_equal %i[inner outer last], @log
  end

  def test_what_is_called_is_forgotten
    @deferrable.callback { @log << :once }
    2.times { @deferrable.succeed }
    @deferrable.fail

    assert_equal [:once], @log
  end

  def test_success_forgets_errbacks_and_failure_forgets_callbacks
    @deferrable.callback { @log << :callback }.errback { @log << :errback }
    @deferrable.succeed
    @deferrable.fail
    @deferrable.succeed

    assert_equal [:callback], @log
  end

  def test_an_error_in_a_callback_does_not_drop_the_errbacks
    @deferrable.errback { @log << :errback }
    @deferrable.callback { raise Boom }
    assert_raises(Boom) { @deferrable.succeed }
    @deferrable.fail

    assert_equal [:errback], @log
  end

  def test_settling_returns_nothing
    assert_nil @deferrable.succeed(1)
    assert_nil @deferrable.fail(1)
    assert_nil @deferrable.set_deferred_status(:unknown)
    assert_nil @deferrable.cancel_timeout
  end

  def test_a_callback_that_raises_leaves_the_others_for_the_next_time
    @deferrable.callback { raise Boom, "first" }
    @deferrable.callback { |value| @log << value }
    assert_raises(Boom) { @deferrable.succeed(1) }
    assert_empty @log
    @deferrable.succeed(2)

    assert_equal [2], @log
  end

  def test_it_can_be_open_again
    @deferrable.succeed(1)
    @deferrable.set_deferred_status(:unknown)
    @deferrable.callback { |value| @log << value }.errback { @log << :errback }
    assert_empty @log
    @deferrable.set_deferred_status(:succeeded, 2)

    assert_equal [2], @log
  end

  def test_it_has_the_old_names
    @deferrable.callback { |value| @log << value }
    @deferrable.set_deferred_success(1)
    other = EM::DefaultDeferrable.new
    other.errback { |value| @log << value }
    other.set_deferred_failure(2)

    assert_equal [1, 2], @log
  end

  def test_other_libraries_read_its_variables
    @deferrable.succeed(1, 2)

    assert_equal([:succeeded, [1, 2]],
                 %i[@deferred_status @deferred_args].map { |name| @deferrable.instance_variable_get(name) })
  end

  def test_a_callback_can_be_taken_back
    callback = -> { @log << :callback }
    errback = -> { @log << :errback }
    @deferrable.callback(&callback).errback(&errback)
    @deferrable.cancel_callback(callback)
    @deferrable.succeed
    @deferrable.set_deferred_status(:unknown)
    @deferrable.errback(&errback)
    @deferrable.cancel_errback(errback)
    @deferrable.fail

    assert_empty @log
  end

  def test_taking_back_from_one_that_has_none_is_nothing
    assert_nil @deferrable.cancel_callback(-> {})
    assert_nil @deferrable.cancel_errback(-> {})
  end

  def test_it_works_in_classes_that_do_not_call_super_and_have_a_method_of_their_own
    klass = Class.new do
      include EM::Deferrable

      def initialize(log) = @log = log

      def succeed(*) = (@log << :mine) && super
    end
    object = klass.new(@log)
    object.callback { |value| @log << value }
    object.succeed(1)

    assert_equal [:mine, 1], @log
  end

  def test_it_fails_when_the_time_is_up
    em do
      @deferrable.timeout(0.01, :late, 1)
      @deferrable.errback { |*reasons| (@log << reasons) && EM.stop }
    end

    assert_equal [%i[late].push(1)], @log
  end

  def test_the_timeout_ends_when_it_is_settled_or_taken_back
    em do
      taken_back = EM::DefaultDeferrable.new
      [@deferrable, taken_back].each { |one| one.timeout(0.01) && one.errback { @log << :late } }
      @deferrable.succeed
      taken_back.cancel_timeout
      taken_back.cancel_timeout
      EM.add_timer(0.05) { EM.stop }
    end

    assert_empty @log
  end

  def test_a_new_timeout_takes_the_place_of_the_old
    em do
      @deferrable.timeout(0.01, :first)
      @deferrable.timeout(0.02, :second)
      @deferrable.errback { |reason| (@log << reason) && EM.stop }
    end

    assert_equal [:second], @log
  end

  def test_a_subclass_may_redefine_fail_for_the_timeout
    log = @log
    @deferrable.define_singleton_method(:fail) { |*reasons| (log << reasons) && EM.stop }
    em { @deferrable.timeout(0.01, :late) }

    assert_equal [[:late]], @log
  end

  def test_the_future_of_a_deferrable_is_its_outcome
    assert_same(@deferrable, EM::Deferrable.future(@deferrable, ->(value) { @log << value }, -> { @log << :errback }))
    failing = EM::DefaultDeferrable.new
    EM::Deferrable.future(failing, -> { @log << :callback }, ->(reason) { @log << reason })
    EM::Deferrable.future(@deferrable) { |value| @log << [:block, value] }
    @deferrable.succeed(1)
    failing.fail(2)

    assert_equal [1, [:block, 1], 2], @log
  end

  def test_the_future_of_anything_else_is_itself_and_nothing_is_called
    callback = proc { @log << :called }

    assert_equal [5, 6, 7], [EM::Deferrable.future(5, callback), EM::Deferrable.future(-> { 6 }, nil, callback),
                             EM::Deferrable.future(7, &callback)]
    assert_empty @log
  end

  def test_a_callable_may_return_the_deferrable
    assert_same @deferrable, EM::Deferrable.future(-> { @deferrable }, ->(value) { @log << value })
    assert_same @deferrable, EM::Deferrable.future(@deferrable)
    @deferrable.succeed(1)

    assert_equal [1], @log
  end

  def test_a_callback_can_open_it_again
    @deferrable.callback do
      @deferrable.set_deferred_status(:unknown, :other)
      @deferrable.callback { |value| @log << [:new, value] }
    end
    @deferrable.callback { |value| @log << [:second, value] }
    @deferrable.succeed

    assert_equal [%i[second other], %i[new other]], @log
  end

  def test_a_million_callbacks_are_no_trouble
    count = 0
    callback = proc { count += 1 }
    1_000_000.times { @deferrable.callback(&callback) }
    @deferrable.succeed

    assert_equal 1_000_000, count
  end

  def test_pool_is_there_under_its_old_name
    pool = nil
    assert_output(nil, /EM::Deferrable::Pool is deprecated, please use EM::Pool/) { pool = EM::Deferrable::Pool }

    assert_same EM::Pool, pool
  end
end
