# frozen_string_literal: true

module Evented
  # A block that runs in a fiber of its own.
  #
  # Belongs to the thread whose reactor runs it; {#wait} and {#value} may be called from any.
  class Task
    FAILURES_KEPT = 100
    private_constant :FAILURES_KEPT

    class << self
      # The task whose fiber this is.
      #
      # @return [Evented::Task]
      # @raise [Evented::Error] outside of tasks
      def current
        current? || raise(Error, "there is no current task: wrap the code in Evented { … }")
      end

      # The task whose fiber this is, if any.
      #
      # @return [Evented::Task, nil]
      def current?
        task = Fiber[:__evented_task]
        task if task && Fiber.scheduler.equal?(task.scheduler)
      end

      # @private
      def run(&)
        if Fiber.scheduler
          raise Error, "this thread has a fiber scheduler already (#{Fiber.scheduler.class}): " \
                       "use Fiber.schedule inside it, or a thread of its own for Evented { … }"
        end
        task = new(Scheduler.new, [], &)
        task.run_to_the_end
        task
      end

      # @private
      def spawn(&)
        current.then { |parent| new(parent.scheduler, parent.failed, &) }.tap(&:start)
      end
    end

    # @private
    attr_reader :scheduler, :failed

    # @private
    def initialize(scheduler, failed, &block)
      @scheduler = scheduler
      @failed = failed
      @block = block
      @status = :running
      @awaited = false
      @ended = Thread::Queue.new
      @value = nil
      @error = nil
    end

    # @return [Symbol] `:running`, `:completed` or `:failed`
    attr_reader :status

    # @return [Boolean] whether its block has not ended yet
    def alive?
      @status == :running
    end

    # Waits for the block to end.
    #
    # @return [Object] its value
    # @raise what it raised
    # @suspends unless it has ended
    # @threadsafe yes
    def wait
      @awaited = true
      @ended.pop # which is closed at the end, and so never brings anything
      if @error
        @failed.delete(self)
        raise @error
      end

      @value
    end
    alias value wait

    # @return [String]
    def inspect
      "#<#{self.class} #{@status}>"
    end

    # @private
    def start
      Fiber.schedule { perform }
    end

    # @private
    def run_to_the_end
      Fiber.set_scheduler(@scheduler)
      begin
        # Its failure leaves the loop at once, and what it started is cancelled.
        @scheduler.__enter(Fiber.new(blocking: false) { perform && @error && raise(@error) })
        @scheduler.run
      ensure
        Fiber.set_scheduler(nil)
      end
      failure = @failed.find { |task| !task.awaited? }
      raise failure.error if failure
    end

    protected

    attr_reader :error

    def awaited?
      @awaited
    end

    private

    def fail_with(error)
      @error = error
      @status = :failed
      # The first that nobody waits for is raised in the end; a server must not collect them for ever.
      @failed << self if @failed.size < FAILURES_KEPT
    end

    def perform
      # Fibers that are started in here inherit it, Enumerators' too.
      Fiber[:__evented_task] = self
      @value = @block.call(self)
      @status = :completed
    rescue StandardError, ScriptError, Cancel => e
      fail_with(e)
    rescue Exception => e # rubocop:disable Lint/RescueException
      # The process or the thread is to end (exit, Interrupt), so it leaves the loop as well.
      fail_with(e)
      raise
    ensure
      @block = nil
      @ended.close
    end
  end
end
