# frozen_string_literal: true

require "helper"
require "support/scheduled"

class WaiterTest < Minitest::Test
  # It is private: nobody else makes one.
  WAITER = Evented.class_eval { const_get(:Waiter) }

  def test_it_is_handed_a_value
    waiter = WAITER.new(self)
    refute_predicate waiter, :handed?
    waiter.hand(nil)

    assert_predicate waiter, :handed?
    assert_nil waiter.await(nil)
  end

  def test_in_a_fiber_by_another_thread
    waiter = WAITER.new(self)
    thread = Thread.new { wait_until { waiter.num_waiting == 1 } && waiter.hand(:value) }

    assert_equal(:value, in_reactor { waiter.await(60) })
    thread.join
  end

  def test_in_a_plain_thread
    waiter = WAITER.new(self)
    thread = Thread.new { waiter.await(60) }
    wait_until { waiter.num_waiting == 1 }
    in_reactor { waiter.hand(:value) }

    assert_equal :value, thread.value
  end

  def test_its_time_is_up_in_a_thread_in_a_fiber_and_in_virtual_time
    wait = -> { assert_raises(Evented::TimeoutError) { WAITER.new(:a_place).await(0.001) } }
    assert_equal "waited 0.001 s in vain: :a_place", wait.call.message
    in_reactor { wait.call }
    Evented::Testing.virtual_time { assert_raises(Evented::TimeoutError) { WAITER.new(self).await(3600) } }
  end

  def test_what_comes_at_the_very_moment_at_which_the_time_is_up_is_not_lost
    waiter = WAITER.new(self)
    # Somebody hands it over after the wait has been given up.
    waiter.define_singleton_method(:pop) { |**| hand(:value) && nil }

    assert_equal :value, waiter.await(0)
  end
end
