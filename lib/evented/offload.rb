# frozen_string_literal: true

# Off the loop: what would keep the other fibers waiting.
module Evented
  # A block on its way through the pool, and who waits for it.
  #
  # @private
  class Offload
    # What a block may be interrupted with, wherever it is.
    INTERRUPTIBLE = { Object => :immediate }.freeze
    private_constant :INTERRUPTIBLE

    def initialize(scheduler, block)
      @scheduler = scheduler
      @block = block
      # The block has the same Fiber storage, but is not part of the task.
      @storage = Fiber.current.storage
      # Whether the block has begun; where it runs, as long as it does.
      @begun = false
      @thread = nil
      # How the fiber that keeps the reactor is told that the block has ended.
      @ticket = nil
      # Whether nobody wants to know any more.
      @dropped = false
      @value = nil
      @failure = nil
      @waiter = Waiter.new(:offload)
      @lock = Lock.new
    end

    # In the fiber that waits.
    #
    # @return [Object] the block's value
    def value
      begin
        keep_the_reactor
        submit
        @waiter.await(nil)
        ended = true
      rescue Exception => e # rubocop:disable Lint/RescueException
        drop(e)
        raise
      ensure
        drop(Cancel.new("its fiber was killed")) unless ended
      end
      raise told if @failure

      @value
    end

    # In the thread of the pool.
    def call
      return unless begin_work

      begin
        @value = work
      ensure
        end_work
      end
    end

    private

    # When the process ends all threads are killed: nobody is to hear of the one, in the other.
    def told
      @failure.instance_of?(Error) && Thread.current.status == "aborting" ? Scheduler::Closing.new : @failure
    end

    # A fiber that waits until the block has ended, whatever becomes of the one that waits for its value. So a reactor
    # does not end before all of its blocks have; and it knows that there is something to wait for.
    def keep_the_reactor
      @scheduler.fiber do
        # It is no part of the task either: what the task is interrupted with is not for this one.
        Fiber[:__evented_task] = nil
        # In here, because something may be raised in the other one before it goes on.
        @scheduler.__offload { |given| @ticket = given }
      end
    end

    def submit
      OffloadPool.current.submit(self) do |failure|
        @failure = failure
        @waiter.hand(true)
        @scheduler.__offloaded(@ticket)
      end
    end

    # Interrupts the block, or has it not begun at all. Once only; and not after it has ended, for then the thread has
    # something else to do.
    def drop(exception)
      @lock.exclusively do
        @thread&.raise(exception) unless @dropped
        @dropped = true
      end
      @scheduler.__offloaded(@ticket) if @ticket && !@begun
    end

    def begin_work
      @lock.exclusively { @dropped || ((@thread = Thread.current) && @begun = true) }
      @begun
    end

    # A fiber of its own has a storage of its own.
    def work
      fiber = Fiber.new(blocking: true, storage: @storage) { Thread.handle_interrupt(INTERRUPTIBLE, &@block) }
      value = fiber.resume
      raise FiberError, "Evented.offload can't go on after Fiber.yield: nobody resumes its block" if fiber.alive?

      value
    end

    # From here on nobody raises anything in this thread; what has been raised, but came too late, is taken out.
    def end_work
      @lock.exclusively { @thread = nil }
      take_late_interruption while Thread.pending_interrupt?
    end

    def take_late_interruption
      Thread.handle_interrupt(INTERRUPTIBLE) { Thread.pass }
    rescue Exception # rubocop:disable Lint/RescueException
      nil # meant for the block
    end
  end
  private_constant :Offload

  class << self
    # Runs the block on a thread of a pool, and lets the other fibers go on meanwhile: for what computes for long, or
    # blocks and knows nothing of fibers.
    #
    # If this fiber is cancelled, or its time is up, that is raised in it at once, and in the block too, so that it can
    # clean up; a block that has not begun never does. The reactor does not end before the block has.
    #
    # The block has the Fiber storage of this fiber, but it is not part of the task: there is no reactor on its thread.
    # Inside another offloaded block, and outside of a reactor, it is a call of the block.
    #
    # @return [Object] the block's value
    # @raise what the block raised
    # @raise [Evented::Error] if the block's thread was killed
    # @raise [ThreadError] if the system has no room for a thread
    # @suspends until the block has ended
    # @threadsafe yes
    def offload(&block)
      raise ArgumentError, "Evented.offload needs a block" unless block

      scheduler = Fiber.current_scheduler
      return yield if !scheduler.is_a?(Scheduler) || OffloadPool.inside?

      Offload.new(scheduler, block).value
    end

    # @return [Integer] how many threads {offload} has at most
    # @threadsafe yes
    def offload_threads = OffloadPool.limit

    # Changes that, also while they work: more come when there is work for them, and those that are too many go when
    # they have done theirs.
    #
    # @param number [Integer] at least 1
    # @raise [TypeError, ArgumentError]
    # @threadsafe yes
    def offload_threads=(number)
      OffloadPool.limit = Arguments.integer(number, "the number of threads")
    end
  end
end
