# frozen_string_literal: true

require "helper"
require "socket"
require "support/scheduled"

# `fiber_interrupt`: from 4.0 on IO#close calls it, on any thread.
class FiberInterruptTest < Minitest::Test
  WAITS = {
    sleep: ->(_io, _scheduler) { sleep },
    queue: ->(_io, _scheduler) { Queue.new.pop },
    io_wait: ->(io, _scheduler) { io.wait_readable },
    io_read: ->(io, _scheduler) { io.readpartial(1) },
    io_select: ->(io, _scheduler) { IO.select([io], [], []) },
    process_wait: ->(io, _scheduler) { system("cat", in: io) },
    yield: ->(_io, scheduler) { loop { scheduler.yield } }
  }.freeze

  # As Ruby 4.1's: for the operation of a fiber.
  Proxy = Struct.new(:fiber) do
    def alive? = fiber.alive?
    def raise(error) = fiber.raise(error)
    def transfer = fiber.transfer
  end

  WAITS.each do |name, wait|
    define_method("test_a_fiber_that_waits_in_#{name}_is_interrupted") do
      io, other = UNIXSocket.pair
      in_company do |scheduler|
        result = nil
        fiber = parked { result = outcome { wait.call(io, scheduler) } }
        assert scheduler.fiber_interrupt(fiber, IOError.new("interrupted"))
        wait_until { result }

        assert_equal "interrupted", result.message
      end
      other.close
    end
  end

  def test_from_another_thread
    scheduled do |scheduler|
      fiber = Fiber.current
      loop_thread = Thread.current
      interrupter = Thread.new do
        wait_until_asleep(loop_thread)
        scheduler.fiber_interrupt(fiber, IOError.new("interrupted"))
      end

      assert_equal "interrupted", assert_raises(IOError) { sleep }.message
      interrupter.join
    end
  end

  def test_a_fiber_that_has_ended_is_left_alone
    in_company { |scheduler| refute scheduler.fiber_interrupt(Fiber.schedule { :done }, IOError.new) }
  end

  def test_only_the_first_of_two_counts
    scheduled do |scheduler|
      results = []
      fiber = parked { results << outcome { sleep } << outcome { sleep(0.01) && :slept } }
      2.times { |n| scheduler.fiber_interrupt(fiber, IOError.new(n.to_s)) }
      wait_until { results.size == 2 }

      assert_equal "0", results.first.message
      assert_equal :slept, results.last
    end
  end

  # Ruby 4.1 passes something that stands for the operation and answers to alive?, raise and transfer.
  def test_what_stands_for_a_fiber_is_told_when_its_turn_comes
    scheduled do |scheduler|
      told = []
      proxy = Object.new
      proxy.define_singleton_method(:alive?) { true }
      proxy.define_singleton_method(:raise) { |error| told << error }
      scheduler.fiber_interrupt(proxy, error = IOError.new("interrupted"))
      assert_empty told
      wait_until { told.any? }

      assert_same error, told.first
    end
  end

  def test_a_proxy_passes_it_on_to_its_fiber
    scheduled do |scheduler|
      result = nil
      fiber = parked { result = outcome { sleep } }

      assert scheduler.fiber_interrupt(Proxy.new(fiber), IOError.new("interrupted"))
      wait_until { result }

      assert_equal "interrupted", result.message
    end
  end

  def test_another_thread_wakes_the_loop_with_a_proxy
    scheduled do |scheduler|
      fiber = Fiber.current
      loop_thread = Thread.current
      interrupter = Thread.new do
        wait_until_asleep(loop_thread)
        scheduler.fiber_interrupt(Proxy.new(fiber), IOError.new("interrupted"))
      end

      assert_equal "interrupted", assert_raises(IOError) { sleep }.message
      interrupter.join
    end
  end

  def test_a_proxy_whose_fiber_has_ended_before_its_turn_is_left_alone
    in_company do |scheduler|
      fiber = parked { sleep(0) }
      scheduler.fiber_interrupt(Proxy.new(fiber), IOError.new("too late"))
      fiber.kill
      turns = 0
      wait_until { (turns += 1) > 3 }

      refute_predicate fiber, :alive?
    end
  end
end
