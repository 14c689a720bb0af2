# frozen_string_literal: true

module Evented
  # Fiber#raise and Fiber#kill switch to the other fiber without a word to the scheduler. It has to know who called,
  # because nobody else would go on with that fiber.
  #
  # @private
  module FiberCallers
    # @return [Object]
    # @raise [FiberError] if the fiber, or the task that it ran, has ended
    def raise(...)
      scheduler = FiberCallers.scheduler or return super
      ::Kernel.raise FiberError, "dead fiber called" if scheduler.__resting?(self)

      scheduler.__switching { super }
    end

    # @return [Fiber]
    def kill
      scheduler = FiberCallers.scheduler or return super
      scheduler.__resting?(self) ? self : scheduler.__switching { super }
    end

    # @return [Evented::Scheduler, nil] the one of this thread, if it is ours
    def self.scheduler
      scheduler = Fiber.scheduler
      scheduler if scheduler.is_a?(Scheduler) && !scheduler.closed?
    end
  end
  private_constant :FiberCallers

  Fiber.send(:prepend, FiberCallers)
end
