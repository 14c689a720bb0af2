# frozen_string_literal: true

require_relative "support/base"
require "evented"

# A run that was asked for one driver and silently used another would prove nothing.
if (wanted = ENV.fetch("EVENTED_DRIVER", nil)) && Evented.driver.to_s != wanted.delete_suffix(":64")
  abort "EVENTED_DRIVER=#{wanted} asks for a driver, but #{Evented.driver.inspect} is in use."
end

# What the tests of evented share.
module EventedHelpers
  private

  # Runs the block in a reactor of its own.
  #
  # @return [Object] the block's value
  def in_reactor(...)
    Evented.run(...)
  end

  # Runs the block on a new thread with a scheduler set, as a plain program would use it: what the block passes to
  # Fiber.schedule runs inside it or, at the latest, when the thread ends.
  #
  # @yieldparam scheduler [Evented::Scheduler]
  # @return [Object] the block's value; an exception of the thread is raised here
  def with_scheduler
    thread = Thread.new do
      Thread.current.report_on_exception = false
      scheduler = Evented::Scheduler.new
      Fiber.set_scheduler(scheduler)
      yield scheduler
    end
    thread.value
  end

  # Waits for a condition; a test never sleeps for a length of time in the hope that it will do.
  #
  # @param deadline [Numeric] seconds
  # @return [Object] the block's first truthy value
  def wait_until(deadline: 5)
    limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + deadline
    until (value = yield)
      if Process.clock_gettime(Process::CLOCK_MONOTONIC) > limit
        flunk "the condition did not come true within #{deadline} s"
      end
      sleep 0.002
    end
    value
  end
end

Minitest::Test.include(EventedHelpers)
