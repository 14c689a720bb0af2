# frozen_string_literal: true

# Ways to run a test inside a scheduler that is set by hand, as Ruby itself sees it. A failure ends the test at once:
# the exception leaves the thread, and closing the scheduler cancels the fibers that still wait.
module Scheduled
  private

  # Runs the block in a fiber of a new scheduler, and every fiber it starts.
  #
  # @yieldparam scheduler [Evented::Scheduler]
  # @return [Object] the block's value
  def scheduled
    with_scheduler do |scheduler|
      value = nil
      Fiber.schedule { value = yield scheduler }
      scheduler.run
      value
    end
  end

  # As {#scheduled}, with another fiber that takes its turns all the while, and must still do so in the end.
  def in_company
    scheduled do |scheduler|
      turns = 0
      over = false
      Fiber.schedule { (turns += 1) && sleep(0.0005) until over }
      value = yield scheduler
      seen = turns
      wait_until { turns > seen + 2 }
      over = true
      value
    end
  end

  # Starts the block as a fiber that is expected to wait, and returns it.
  def parked(&)
    fiber = Fiber.schedule(&)
    assert_predicate fiber, :alive?, "this fiber should wait"
    fiber
  end

  # @return [Object] the block's value or, whatever it is, what it raises
  def outcome
    yield
  rescue Exception => e
    e
  end

  # Waits until another thread sleeps in the kernel, or for something else.
  def wait_until_asleep(thread)
    wait_until { thread.status == "sleep" }
  end
end

Minitest::Test.include(Scheduled)
