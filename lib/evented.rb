# frozen_string_literal: true

require "socket"
require_relative "evented/version"
require_relative "evented/errors"
require_relative "evented/native"
require_relative "evented/arguments"
require_relative "evented/lock"
require_relative "evented/offload_pool"
require_relative "evented/scheduler"
require_relative "evented/task"
require_relative "evented/time"
require_relative "evented/many"
require_relative "evented/barrier"
require_relative "evented/supervisor"
require_relative "evented/mailbox"
require_relative "evented/waiter"
require_relative "evented/semaphore"
require_relative "evented/condition"
require_relative "evented/queue"
require_relative "evented/priority_queue"
require_relative "evented/promise"
require_relative "evented/offload"
require_relative "evented/fiber_pool"
require_relative "evented/dump"
require_relative "evented/condition_variables"
require_relative "evented/wake_on_close"
require_relative "evented/tcp_fast_fallback"
require_relative "evented/io_repairs"
require_relative "evented/fiber_callers"
require_relative "evented/logger_repairs"

# Fibers that wait without blocking their thread: Net::HTTP, pg, Redis, `sleep`, `system`, Mutex and Queue yield by
# themselves inside a reactor, and nothing needs to be rewritten.
#
# @example
#   Evented do
#     urls.each { |url| Evented { puts Net::HTTP.get(url).size } }
#   end
module Evented
  autoload :Testing, "#{__dir__}/evented/testing"

  class << self
    # Runs a reactor on this thread until the block, and every task and fiber it started, is done. Inside a reactor it
    # is a call of the block.
    #
    # @yieldparam task [Evented::Task] the current task
    # @return [Object] the block's value
    # @raise what the block raised, or a task that nobody waited for; {Evented::MultipleErrors} if there are several
    # @raise [Evented::Cancel] if the task was cancelled
    # @raise [Evented::Deadlock] if nothing can ever wake the reactor again
    # @raise [Evented::Error] if this thread has another fiber scheduler
    # @suspends inside a reactor, if the block does
    # @threadsafe each call runs on the thread that makes it
    def run(&block)
      raise ArgumentError, "Evented.run needs a block" unless block

      (task = Task.current?) ? yield(task) : Task.run(&block).value
    end

    # Starts a child of the current task.
    #
    # @param (see Evented::Task#spawn)
    # @yieldparam task [Evented::Task] the child
    # @return [Evented::Task]
    # @raise [Evented::Error] outside of a reactor
    # @suspends until the child first waits
    # @threadsafe each call is about the fiber that makes it
    def spawn(name: nil, transient: false, &)
      Task.current.spawn(name: name, transient: transient, &)
    end

    # Puts the cancellation of the current task, and of those that the block starts, off until the block has ended; then
    # it is raised at the next wait. For what must not be left half-way. A timeout around it still ends it.
    #
    # @param timeout [Numeric, nil] seconds after which a cancelled task is not protected any more
    # @return [Object] the block's value
    # @raise [ArgumentError] if there is no block, or the timeout is negative
    # @raise [TypeError] if the timeout is no number
    # @suspends if the block does
    # @threadsafe each call is about the fiber that makes it
    def shield(timeout: nil, &)
      raise ArgumentError, "Evented.shield needs a block" unless block_given?

      Arguments.timeout(timeout)
      (task = Task.current?) ? task.shield(timeout, &) : yield
    end

    # @return [Symbol] `:uring` or `:poll`: what drives the reactor of this thread or, outside of one, what would
    # @raise [Evented::Error] if `EVENTED_DRIVER` names a driver that does not exist or is refused here
    # @threadsafe yes
    def driver
      scheduler = Fiber.scheduler
      scheduler.is_a?(Scheduler) ? scheduler.driver : Native.default_driver(ENV.fetch("EVENTED_DRIVER", nil))
    end
  end
end

# Where `Evented { … }` is defined.
module Kernel
  private

  # At top level: runs a reactor on this thread until the block, and every task and fiber it started, is done. Inside a
  # reactor: starts the block as a task at once; it runs until it first waits.
  #
  # @param name [String, nil] for {Evented.dump}
  # @param transient [Boolean] inside a reactor, whether the task does not keep its parent from ending
  # @yieldparam task [Evented::Task] the new task
  # @return [Evented::Task]
  # @raise at top level, what the block raised, or a task that nobody waited for
  # @suspends inside a reactor, until the new task first waits
  # @threadsafe each call runs on, or starts a task in the reactor of, the thread that makes it
  def Evented(name: nil, transient: false, &block)
    raise ArgumentError, "Evented needs a block: Evented { … } or Evented do … end" unless block

    task = Evented::Task.current? or return Evented::Task.run(name: name, &block)
    task.spawn(name: name, transient: transient, &block)
  end
end
