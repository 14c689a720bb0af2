# frozen_string_literal: true

module Evented
  class Task
    # Fibers that run one task after the other: making one and throwing it away costs more than all the rest of a short
    # task. A task can't tell, for nothing is left of the one before; a fiber with traces is not used again.
    module Worker
      class << self
        # Runs a task until it first waits or ends.
        #
        # @suspends until then
        def run(task, scheduler)
          scheduler.__employ(task) || scheduler.fiber { work(task, scheduler) }
        end

        private

        def work(task, scheduler)
          task.take_storage # which a new fiber has inherited
          task.perform
          while (task = next_task(scheduler))
            inherited = task.take_storage
            inherited.each { |key, value| Fiber[key] = value } if inherited && inherited.size > 1
            task.perform
          end
        end

        # What is left in the Fiber storage beside the task, which the next one replaces, is cleared. Not so what is
        # stored by fiber elsewhere: with that in sight, no task follows.
        def next_task(scheduler)
          left = Fiber.current.storage
          left.each_key { |key| Fiber[key] = nil } if left.size > 1
          scheduler.__rest
        end
      end
    end
    private_constant :Worker
  end
end
