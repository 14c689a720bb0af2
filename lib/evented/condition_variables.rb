# frozen_string_literal: true

module Evented
  # Tells the reactor what a fiber sleeps for, so that a signal goes to the next one if the fiber that it woke is
  # cancelled before it goes on. (Of a mutex and a queue Ruby itself tells.)
  #
  # @private
  module ConditionVariables
    # @return [self]
    def wait(...)
      scheduler = Fiber.current_scheduler
      scheduler.__condition = self if scheduler.is_a?(Scheduler)
      super
    end
  end
  private_constant :ConditionVariables

  # (Sent, because YARD takes a plain call for documentation.)
  Thread::ConditionVariable.send(:prepend, ConditionVariables)
end
