# frozen_string_literal: true

require_relative "task/waiting"

module Evented
  # A block that runs in a fiber of its own, together with everything it starts.
  #
  # A task ends when its block and all its children have ended. A child's failure that nobody waits for cancels the
  # other children and is raised in this task, where it waits; so nothing fails unnoticed, and nothing goes on behind
  # anybody's back.
  #
  # Owned by the thread whose reactor runs it. Once it has ended any thread may ask for its value.
  class Task
    include Waiting

    # Those end the process or the thread, and so leave the loop at once.
    FATAL = [SystemExit, SignalException].freeze
    private_constant :FATAL

    @roots = ObjectSpace::WeakMap.new

    class << self
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
        task = task.parent while task && !task.alive?
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
        task = new(Scheduler.new, nil, name, block)
        @roots[task] = task
        task.run_to_the_end
        task
      end

      private

      # In a fiber of a scheduler that was set by hand: as at top level, this waits.
      def run_in(scheduler, name, block)
        task = new(scheduler, nil, name, block)
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
    attr_reader :scheduler, :fiber, :error, :annotation, :waiting_for, :epoch

    # @private
    def initialize(scheduler, parent, name, block, transient: false)
      @scheduler = scheduler
      @parent = parent
      @name = name
      @block = block
      @transient = transient
      # In which process of those that have forked: which number of the scheduler's.
      @epoch = scheduler.__epoch
      @fiber = nil
      # nil until it has ended
      @status = nil
      # What the block returned; what was raised, or what it was cancelled with.
      @value = nil
      @error = nil
      # Children that have not ended, as the keys of a Hash, and how many of them are transient.
      @children = nil
      @transients = 0
      # Children that failed, whom nobody has heard yet.
      @unheard = nil
      # Fibers that wait for it; and whom it waits for, to find circles.
      @waiters = nil
      @waiting_for = nil
      # The request to stop, and whether it is still to be raised.
      @cancel = nil
      @to_be_cancelled = false
      # How many shields it is inside of.
      @shields = 0
      # Whether the block has ended and it waits for its children.
      @joining = false
      # Which fiber is just starting a child of it.
      @starting = nil
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
    # @raise [Evented::FiberLimitError] if the system has no room for another fiber
    # @suspends until the child first waits
    def spawn(name: nil, transient: false, &block)
      raise ArgumentError, "spawn needs a block: task.spawn { … }" unless block

      check_thread("start a child of")
      raise Error, "#{inspect} has ended: start this in a task that is still alive" unless alive?

      child = Task.new(@scheduler, self, name, block, transient: transient)
      (@children ||= {}.compare_by_identity)[child] = true
      @transients += 1 if transient
      starting = @starting
      @starting = Fiber.current
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

    # Asks it, and all its children, to stop: {Evented::Cancel} is raised in it where it waits, or when it next does.
    # Waiting goes on to work in its `ensure` clauses. Asking again changes nothing.
    #
    # @param reason [Object, nil] kept in the exception
    # @return [Boolean] whether it was still to be cancelled
    # @raise [Evented::WrongThreadError] if it belongs to another thread and has not ended
    # @suspends no
    def cancel(reason = nil)
      return false if @status || @cancel

      check_thread("cancel")
      cancel_with(Cancel.new(reason, site: caller_locations(1, 1)&.first))
      true
    end

    # @return [String]
    def inspect
      what = @name&.inspect || @block&.source_location&.join(":")
      ["#<#{self.class}", what, status, @annotation && "(#{@annotation})"].compact.join(" ") << ">"
    end

    # @return [Array(String, Integer), nil] file and line of its block
    # @private
    def source_location = @block&.source_location

    # @private
    def start
      @scheduler.fiber { perform }
    rescue Exception # rubocop:disable Lint/RescueException
      # It may have run, and raised what leaves the loop; or there was no room for its fiber.
      unless @fiber || @status
        @status = :cancelled
        @parent&.forget(self)
      end
      raise
    end

    # @private
    def run_to_the_end
      @scheduler.root = self
      Fiber.set_scheduler(@scheduler)
      begin
        @scheduler.__enter(Fiber.new(blocking: false) { perform })
        @scheduler.run
      ensure
        Fiber.set_scheduler(nil)
      end
      raise @error if @status == :failed
    end

    # Raises in a root task what only somebody outside could mend: where it waits, or out of its reactor.
    #
    # @private
    def stuck(error)
      raise error unless @fiber && @scheduler.__interrupt(@fiber, error)
    end

    # Puts a cancellation off while the block runs.
    #
    # @private
    def shield(timeout)
      outer = @shield_timeout
      @shields += 1
      @shield_timeout = timeout
      limit_clean_up(timeout) if timeout && @cancel
      yield
    ensure
      @shields -= 1
      @shield_timeout = outer
      end_limit if @limit
      expect_interruption if @shields.zero? && (@to_be_cancelled || @unheard&.any?)
    end

    # What is to be raised in it now that it is about to wait. Called by the scheduler, in its fiber.
    #
    # @private
    def interruption
      return if @shields.positive? || @joining

      if @to_be_cancelled
        @to_be_cancelled = false
        exception = @cancel
      elsif (child = @unheard&.shift)
        cancel_children(exception = child.error)
      end
      expect_no_interruption unless @unheard&.any?
      exception
    end

    # Its parent, or who else waited, has heard that it failed.
    #
    # @private
    def forgive(child)
      @unheard&.delete(child)
    end

    # @private
    def forget(child)
      @transients -= 1 if @children.delete(child) && child.transient?
    end

    # @private
    def cancel_with(cancel)
      return if @status || @cancel

      @cancel = cancel
      @children&.each_key { |child| child.cancel_with(cancel) }
      if @shields.positive?
        @to_be_cancelled = true
        limit_clean_up(@shield_timeout) if @shield_timeout
      elsif !@joining
        interrupt(cancel) or @to_be_cancelled = true
      end
    end

    protected

    # A child has ended: in its fiber.
    def child_ended(child)
      forget(child)
      child_failed(child) if child.unheard?
      # Transient ones alone don't keep it.
      @scheduler.unblock(self, @fiber) if @joining && @fiber && @children.size == @transients
    end

    # Nobody waits for a child that failed.
    def child_failed(child)
      return @parent&.child_failed(child) if @status

      (@unheard ||= []) << child
      return cancel_children(child.error) if @joining
      return if @cancel || @shields.positive?

      cancel_children(child.error) if interrupt(child.error) && @unheard.delete(child)
    end

    def unheard? = @status == :failed && !@heard && (@waiters.nil? || @waiters.empty?)

    private

    # The whole life of a task, in its own fiber.
    def perform
      @fiber = Fiber.current
      # Fibers that are started in here inherit it, Enumerators' too.
      Fiber[:__evented_task] = self
      outcome = :cancelled # if neither of the two below: Fiber#kill
      begin
        @value = @block.call(self)
        outcome = :completed
      rescue Exception => e # rubocop:disable Lint/RescueException
        @error = e
        outcome = e.equal?(@cancel) || Scheduler::Closing === e ? :cancelled : :failed # rubocop:disable Style/CaseEquality
      ensure
        begin
          join(outcome) unless fatal?(@error)
        ensure
          # A killed fiber is not let wait: its children are cancelled, and clean up on their own.
          settle(outcome)
        end
      end
      raise @error if fatal?(@error) || (@status == :failed && equal?(@scheduler.root))
    end

    # Waits for the children; without a value to wait for, cancels them first.
    def join(outcome)
      return unless @children

      forget_those_of_the_parent_process if @scheduler.__reborn?
      @joining = true
      cancel_children(@error) if outcome != :completed || @cancel
      until @children.empty?
        cancel_children(nil) if @children.size == @transients
        begin
          @scheduler.block(self, nil)
        rescue *FATAL => e
          return @error = e
        rescue Exception => e # rubocop:disable Lint/RescueException
          (@interrupted ||= []) << e unless Scheduler::Closing === e # rubocop:disable Style/CaseEquality
          cancel_children(e)
        end
      end
    end

    # In a forked child there is no fiber but the one that forked, and those it started.
    def forget_those_of_the_parent_process
      @children.select! { |child, _| child.epoch == @scheduler.__epoch }
      @transients = @children.keys.count(&:transient?)
    end

    def settle(outcome)
      errors = [(@error unless outcome == :cancelled), *@interrupted, *@unheard&.map(&:error)].compact.uniq(&:object_id)
      @error = errors.size > 1 ? MultipleErrors.new(errors) : errors.first if errors.any?
      @status = errors.any? ? :failed : outcome
      @error ||= @cancel || Cancel.new("its fiber was killed") if @status == :cancelled
      @value = nil unless @status == :completed
      @block = @unheard = @interrupted = nil
      expect_no_interruption
      @waiters&.each { |fiber| @scheduler.unblock(self, fiber) }
      call_back if @callbacks
      @parent&.child_ended(self)
      @fiber = nil
    end

    def call_back
      @callbacks.each do |callback|
        callback.call(self)
      rescue StandardError => e
        # Whatever became of the task: a failure of this one is the parent's to hear of.
        @status = :failed
        @error = @error ? MultipleErrors.new([@error, e]) : e
        @heard = false
      end
      @callbacks = nil
    end

    # Raises an exception in it where it waits. Tells whether that could be done; if not it is asked for when it next
    # waits.
    def interrupt(exception)
      return false unless @fiber
      # To start a task is no wait, even if the loop has its turn meanwhile.
      return expect_interruption && false if @fiber.equal?(@starting)
      return true if @scheduler.__interrupt(@fiber, exception)
      return true if !equal?(Task.current?) && @scheduler.__raise_inside(@fiber, exception)

      expect_interruption
      false
    end

    def expect_interruption
      @scheduler.__expect_interruption(true) unless @expected
      @expected = true
    end

    def expect_no_interruption
      @scheduler.__expect_interruption(false) if @expected
      @expected = false
    end

    def cancel_children(cause)
      return if @children.nil? || @children.empty?

      reason = cause ? "its sibling failed, or its parent ended with an error" : "its parent ended"
      cancel = cause.is_a?(Cancel) ? cause : Cancel.new(reason, cause: cause)
      children.each { |child| child.cancel_with(cancel) }
    end

    def limit_clean_up(seconds)
      end_limit if @limit
      @limit = @scheduler.fiber do
        sleep seconds
        @limit = nil
        @scheduler.__interrupt(@fiber, @cancel) if @shields.positive? && @fiber
      rescue Scheduler::Closing
        nil # the block has ended in time
      end
    end

    # Nobody waits for a limit that is not needed any more.
    def end_limit
      @scheduler.__interrupt(@limit, Scheduler::Closing.new)
      @limit = nil
    end

    def fatal?(error) = FATAL.any? { |fatal| fatal === error } # rubocop:disable Style/CaseEquality

    def check_thread(verb)
      raise ClosedError, "the reactor of this task is closed: nothing can #{verb} it any more" if @scheduler.closed?
      return if @scheduler.equal?(Fiber.scheduler)

      raise WrongThreadError, "another thread's reactor runs this task, and this one can't #{verb} it: use an " \
                              "Evented::Promise or an Evented::Queue, which work between threads"
    end
  end
end
