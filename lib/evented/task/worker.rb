# frozen_string_literal: true

module Evented
  class Task
    # Fibers that run one task after the other: making one and throwing it away is a large part of what a short task
    # would cost. A task can't tell, for nothing is left of the one before; a fiber with traces is not used again.
    module Worker
      # What every one of them does.
      WORK = proc { Worker.work(Fiber.scheduler) }
      private_constant :WORK

      class << self
        # Runs a task until it first waits or ends.
        #
        # @return [Fiber] in which
        # @suspends until then
        def run(task, scheduler)
          if (worker = scheduler.__worker)
            # As a new fiber would inherit it. (Mostly there is the starter in it and nothing else.)
            storage = Fiber.current.storage
            task.storage = storage unless storage.nil? || (storage.size == 1 && storage.key?(:__evented_task))
          else
            worker = Fiber.new(&WORK)
          end
          scheduler.__employ(worker, task)
          worker
        end

        # @private
        def work(scheduler)
          task = scheduler.__task
          while task
            task.perform
            task = next_task(scheduler) or break
            inherit(task) if task.storage
          end
        end

        private

        # What is left in the Fiber storage is cleared. Not so what is stored by fiber elsewhere: with that in sight, no
        # task follows.
        def next_task(scheduler)
          Fiber[:__evented_task] = nil
          left = Fiber.current.storage
          left.each_key { |key| Fiber[key] = nil } unless left.nil? || left.empty?
          scheduler.__rest
        end

        def inherit(task)
          task.storage.each { |key, value| Fiber[key] = value }
          task.storage = nil
        end
      end
    end
    private_constant :Worker
  end
end
