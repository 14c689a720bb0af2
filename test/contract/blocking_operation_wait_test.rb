# frozen_string_literal: true

require "helper"
require "support/scheduled"
require "zlib"

# From 3.4 on Ruby passes what can be done without the GVL; the hook takes anything that can be called.
class BlockingOperationWaitTest < Minitest::Test
  def test_the_operation_is_carried_out_on_another_thread_while_the_others_go_on
    in_company do |scheduler|
      release = Queue.new
      thread = nil
      fiber = parked { scheduler.blocking_operation_wait(-> { release.pop && (thread = Thread.current) }) }
      release << true
      wait_until { !fiber.alive? }

      assert_equal "evented-offload", thread.name
    end
  end

  # Ruby 4.0 passes an object that answers to nothing but call.
  def test_the_operation_may_be_any_object
    in_company do |scheduler|
      operation = BasicObject.new
      called = []
      operation.instance_eval do
        @called = called
        def call = @called << ::Thread.current.name
      end
      scheduler.blocking_operation_wait(operation)

      assert_equal ["evented-offload"], called
    end
  end

  def test_nobody_else_is_kept_waiting_so_it_is_carried_out_here
    scheduled do |scheduler|
      thread = nil
      scheduler.blocking_operation_wait(-> { thread = Thread.current })

      assert_same Thread.current, thread
    end
  end

  def test_what_the_operation_raises_is_raised_here
    in_company do |scheduler|
      error = assert_raises(RuntimeError) { scheduler.blocking_operation_wait(-> { raise "it failed" }) }

      assert_equal "it failed", error.message
    end
  end

  def test_a_cancelled_fiber_waits_for_the_end_of_its_operation
    in_company do |scheduler|
      release = Queue.new
      over = false
      result = nil
      fiber = parked do
        result = outcome { scheduler.blocking_operation_wait(-> { release.pop && (over = true) }) }
        result = [result.message, over]
      end
      fiber.raise("cancelled")
      3.times { sleep 0 }
      assert_nil result

      release << true
      wait_until { result }
      assert_equal ["cancelled", true], result
    end
  end

  def test_many_operations
    done = []
    scheduled do |scheduler|
      30.times { |n| Fiber.schedule { sleep(0) && scheduler.blocking_operation_wait(-> { done << n }) } }
    end

    assert_equal (0...30).to_a, done.sort
  end

  def test_ruby_has_zlib_do_its_work_elsewhere
    skip "Ruby offloads from 3.4 on, this is #{RUBY_VERSION}" if RUBY_VERSION < "3.4"

    in_company do |scheduler|
      calls = 0
      scheduler.define_singleton_method(:blocking_operation_wait) { |operation| (calls += 1) && super(operation) }
      text = Random.bytes(1 << 20)

      assert_equal text, Zlib.inflate(Zlib.deflate(text))
      assert_operator calls, :>, 0
    end
  end

  def test_what_can_not_be_called_is_refused
    in_company { |scheduler| assert_raises(NoMethodError) { scheduler.blocking_operation_wait(1) } }
  end
end
