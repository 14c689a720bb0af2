# frozen_string_literal: true

require_relative "task/cancellation"
require_relative "task/life"
require_relative "task/waiting"
require_relative "task/worker"

module Evented
  # A block that runs in a fiber of its own, together with everything it starts.
  #
  # A task ends when its block and all its children have ended. A child's failure that nobody waits for cancels the
  # other children and is raised in this task, where it waits; so nothing fails unnoticed, and nothing goes on behind
  # anybody's back.
  #
  # Owned by the thread whose reactor runs it. Once it has ended any thread may ask for its value.
  class Task
    include Life
    include Cancellation
    include Waiting

    @roots = ObjectSpace::WeakMap.new

    @surroundings = nil

    class << self
      # What tasks run in beside a reactor, if a face has anything of that kind. It is asked with `for(task)` in the
      # fiber that starts the task, and what it returns is given the block with `run` in the task's own.
      #
      # @private
      attr_accessor :surroundings

      # The task that this code is part of.
      #
      # @return [Evented::Task]
      # @raise [Evented::Error] outside of tasks
      def current
        current? || raise(Error, "there is no current task: wrap the code in Evented { … }")
      end

      # The task that this code is part of, if any.
      #
      # @return [Evented::Task, nil]
      def current?
        task = Fiber[:__evented_task]
        # A thread inherits it too, and a fiber that was started with Fiber.schedule may outlive it.
        task = nil unless task && Fiber.scheduler.equal?(task.scheduler)
        task = task.parent until task.nil? || (task.alive? && task.here?)
        task
      end

      # The root tasks of all reactors of this process that run.
      #
      # @return [Array<Evented::Task>]
      # @private
      def roots
        @roots.keys.select(&:alive?)
      end

      # Runs a reactor on this thread, with the block as its root task.
      #
      # @private
      def run(name: nil, &block)
        scheduler = Fiber.scheduler
        return run_in(scheduler, name, block) if scheduler.is_a?(Scheduler) && Fiber.current_scheduler

        if scheduler
          raise Error, "this thread has a fiber scheduler already (#{scheduler.class}): " \
                       "use Fiber.schedule inside it, or a thread of its own for Evented { … }"
        end
        task = new(Scheduler.new, nil, name, block, false, nil)
        @roots[task] = task
        task.run_to_the_end
        task
      end

      private

      # In a fiber of a scheduler that was set by hand: as at top level, this waits.
      def run_in(scheduler, name, block)
        task = new(scheduler, nil, name, block, false, nil)
        task.start
        task.wait if task.ended == :failed
        task
      end
    end

    # @return [String, nil]
    attr_reader :name
    # @return [Evented::Task, nil] the task that started it; nil for a root
    attr_reader :parent
    # @private
    attr_reader :scheduler, :fiber, :error, :annotation, :waiting_for, :epoch, :shelter
    # What it is to inherit, if its fiber is not a new one.
    #
    # @private
    attr_accessor :storage

    # Always all variables, in this order, so that every task has the same shape.
    #
    # @private
    def initialize(scheduler, parent, name, block, transient, shelter)
      @scheduler = scheduler
      @parent = parent
      @name = name
      @annotation = nil
      @block = block
      @transient = transient
      # In which process of those that have forked: which number of the scheduler's.
      @epoch = scheduler.__epoch
      # The fiber that it runs in.
      @fiber = @storage = nil
      # What calls its block, if anything but itself.
      @surroundings = nil
      # nil until it has ended
      @status = nil
      # What the block returned; what was raised, or what it was cancelled with.
      @value = @error = nil
      # Whether somebody has been told of the failure.
      @heard = false
      # Children that have not ended, as the keys of a Hash, and how many of them are transient.
      @children = nil
      @transients = 0
      # Children that failed, whom nobody has heard yet.
      @unheard = nil
      # Whether the block has ended and it waits for its children; and what was raised in it then.
      @joining = false
      @interrupted = nil
      # Fibers that wait for it; whom it waits for, to find circles; whom to call when it has ended.
      @waiters = @waiting_for = @callbacks = nil
      # The request to stop, and whether it is still to be raised.
      @cancel = nil
      @to_be_cancelled = false
      # The innermost shield that it is inside of; and that of its parent, if it was started in one.
      @shield = nil
      @shelter = shelter
      # Whether its own fiber is just starting a child.
      @starting = false
      # Whether the scheduler was told to ask for an interruption.
      @expected = false
    end

    # Starts a child at once: it runs until it first waits.
    #
    # @param name [String, nil] for {Evented.dump}
    # @param transient [Boolean] whether it does not keep this task from ending: it is cancelled when all other
    #   children have ended
    # @yieldparam task [Evented::Task] the child
    # @return [Evented::Task]
    # @raise [Evented::Error] if this task has ended
    # @raise [Evented::WrongThreadError] if it belongs to another thread
    # @raise [Evented::FiberLimitError] if the system has no room for another fiber
    # @suspends until the child first waits
    def spawn(name: nil, transient: false, &block)
      raise ArgumentError, "spawn needs a block: task.spawn { … }" unless block

      check_thread("start a child of")
      raise Error, "#{inspect} has ended: start this in a task that is still alive" if @status

      child = Task.new(@scheduler, self, name, block, transient, @shield)
      return child.tap(&:start) unless Fiber.current.equal?(@fiber)

      starting = @starting
      @starting = true
      begin
        child.start
      ensure
        @starting = starting
      end
      child
    end

    # @return [Object, Exception, nil] the block's value, or what it raised or was cancelled with; nil as long as it
    #   has not ended. Does not wait, and does not count as having heard of a failure.
    # @threadsafe yes
    def result = @error || @value

    # @return [Symbol] `:running` (or ready to), `:waiting`, `:completed`, `:failed` or `:cancelled`
    # @threadsafe yes
    def status
      @status || (@fiber && @scheduler.__parked?(@fiber) ? :waiting : :running)
    end

    # @return [Boolean] whether it has not ended yet
    # @threadsafe yes
    def alive? = @status.nil?

    # In a forked child there is no fiber but the one that forked, and those it started.
    #
    # @return [Boolean] whether its fiber runs in this process
    # @private
    def here?
      !@scheduler.__reborn? || @epoch == @scheduler.__epoch || Fiber.current.equal?(@fiber) ||
        @scheduler.__known?(@fiber)
    end

    # @return [Boolean] whether it does not keep its parent from ending
    def transient? = @transient

    # @return [Array<Evented::Task>] those children that have not ended
    def children = @children ? @children.keys : []

    # Says for {Evented.dump} what it is about at the moment.
    #
    # @param text [String, nil]
    # @return [Object] the block's value if there is one, after which the former annotation is back; else self
    def annotate(text)
      return (@annotation = text) && self unless block_given?

      begin
        former = @annotation
        @annotation = text
        yield
      ensure
        @annotation = former
      end
    end

    # Has the callable or the block called with this task when it has ended; at once if it has.
    #
    # @param callable [#call, nil]
    # @yieldparam task [Evented::Task]
    # @return [self]
    # @raise [ArgumentError] if there is nothing to call
    def on_complete(callable = nil, &block)
      callback = callable || block
      raise ArgumentError, "on_complete needs a block, or what responds to call" unless callback.respond_to?(:call)

      @status ? callback.call(self) : (@callbacks ||= []) << callback
      self
    end

    # @return [String]
    def inspect
      what = @name&.inspect || @block&.source_location&.join(":")
      ["#<#{self.class}", what, status, @annotation && "(#{@annotation})"].compact.join(" ") << ">"
    end

    # @return [Array(String, Integer), nil] file and line of its block
    # @private
    def source_location = @block&.source_location

    private

    def check_thread(verb)
      here = @scheduler.equal?(Fiber.scheduler)
      return if here && !@scheduler.__reborn?
      return check_process(verb) if here

      raise ClosedError, "the reactor of this task is closed: nothing can #{verb} it any more" if @scheduler.closed?

      raise WrongThreadError, "another thread's reactor runs this task, and this one can't #{verb} it: use an " \
                              "Evented::Promise or an Evented::Queue, which work between threads"
    end

    def check_process(verb)
      return if @status || here?

      raise Error, "this task runs in the parent process, and nothing can #{verb} it in this one: start it again here"
    end
  end
end
