# frozen_string_literal: true

require_relative "doorbell"

module Evented
  # Tasks that are waited for together, and apart from others of the same parent.
  #
  # It forgets tasks that have ended, so it may live as long as the program. Who waits at it hears the failures of its
  # tasks; as long as nobody does they are raised in the tasks' parent, as always.
  #
  # @example
  #   barrier = Evented::Barrier.new
  #   urls.each { |url| barrier.spawn { Net::HTTP.get(url) } }
  #   barrier.wait { |task| puts task.value.size } # in the order in which they end
  #
  # Owned by the thread whose reactor runs the tasks.
  class Barrier
    def initialize
      # Those that have not ended, as the keys of a Hash; and the reactor and the process that run them.
      @tasks = {}.compare_by_identity
      @scheduler = nil
      @pid = Process.pid
      @ended = method(:ended)
      @bell = Doorbell.new(self)
      # As long as somebody waits: those that have ended and are to be looked at; those whose failure it has to raise
      # (the keys of a Hash); and whether it wants to see all of them.
      @arrived = nil
      @claimed = nil
      @all = false
      # Those that failed while nobody waited, as long as somebody else remembers them.
      @before = nil
    end

    # Starts a child of the current task, which belongs to this barrier.
    #
    # @param name [String, nil] for {Evented.dump}
    # @yieldparam task [Evented::Task] the child
    # @return [Evented::Task]
    # @raise [ArgumentError] if there is no block
    # @raise [Evented::Error] outside of a reactor
    # @raise [Evented::WrongThreadError] if another thread's reactor runs its tasks
    # @suspends until the child first waits
    def spawn(name: nil, &block)
      raise ArgumentError, "spawn needs a block: barrier.spawn { … }" unless block

      current = Task.current
      check_thread
      @scheduler = current.scheduler
      task = current.spawn(name: name, &block)
      @tasks[task] = true if task.alive?
      task.on_complete(@ended)
    end

    # Waits until all its tasks have ended. The first failure cancels the others of this barrier, and is raised when
    # they have cleaned up. If this wait is cancelled, or ended by a timeout, the tasks go on.
    #
    # A block is given each task as it ends. It may ask for the value there, and rescue a failure, which counts as heard
    # then. Left by `break` the tasks go on.
    #
    # @yieldparam task [Evented::Task] one that has ended
    # @return [self] to be used again
    # @raise what a task raised; {Evented::MultipleErrors} if several did
    # @raise [Evented::Error] if somebody waits already, or if one of them could never end, because it waits for the
    #   caller
    # @raise [Evented::WrongThreadError] if another thread's reactor runs its tasks
    # @suspends unless all have ended
    def wait(&)
      check_thread
      check_waiting
      waiting = Task.current?
      failed = []
      begin
        look_out(block_given?)
        waiting&.waits_for(self)
        until @arrived.empty? && @tasks.empty?
          @bell.wait_until { @arrived.any? || @tasks.empty? }
          look_at(@arrived.shift, failed, &) until @arrived.empty?
        end
        raise_all(failed)
        self
      ensure
        waiting&.waits_for(nil)
        look_away
      end
    end

    # Asks all its tasks to stop; {wait} waits for their clean-up.
    #
    # @param reason [Object, nil] kept in the exception
    # @return [self]
    # @raise [Evented::WrongThreadError] if another thread's reactor runs its tasks
    # @suspends no
    def cancel(reason = nil)
      check_thread
      cancel_all(Cancel.new(reason, site: caller_locations(1, 1)&.first))
      self
    end

    # @return [Integer] how many tasks have not ended
    # @threadsafe yes
    def size = @tasks.size

    # @return [Boolean] whether all have ended
    # @threadsafe yes
    def empty? = @tasks.empty?

    # @return [Array<Evented::Task>] those that have not ended
    # @threadsafe yes
    def tasks = @tasks.keys

    # @return [String]
    def inspect = "#<#{self.class} size=#{size}>"

    private

    # In the task's fiber, before its parent learns of it.
    def ended(task)
      @tasks.delete(task)
      failed = task.status == :failed
      if @arrived
        arrive(task) if failed || @all
        @bell.ring if @arrived.any? || @tasks.empty?
      elsif failed
        (@before ||= ObjectSpace::WeakMap.new)[task] = true
      end
    end

    def arrive(task)
      @arrived << task
      return unless task.status == :failed

      task.claim
      @claimed[task] = true
    end

    def look_out(all)
      @arrived = []
      @claimed = {}.compare_by_identity
      @all = all
      # What was raised in the parent meanwhile is over.
      @before&.each_key { |task| arrive(task) if task.claim }
      @before = nil
    end

    def look_at(task, failed)
      yield task if block_given? && failed.empty?
      return if task.status != :failed
      # The block has heard it.
      return @claimed.delete(task) if block_given? && !task.claimed?

      cancel_all(Cancel.new("another task of its barrier failed", cause: task.error)) if failed.empty?
      failed << task
    end

    def look_away
      claimed = @claimed
      @arrived = @claimed = nil
      claimed&.each_key(&:disclaim)
    end

    def raise_all(failed)
      errors = failed.each(&:heard).map(&:error)
      raise errors.size > 1 ? MultipleErrors.new(errors) : errors.first if errors.any?
    end

    def cancel_all(cancel)
      tasks.each { |task| task.cancel_with(cancel) }
    end

    def check_waiting
      task = Task.current?
      task = task.parent until task.nil? || @tasks.key?(task)
      raise Error, "a task can't wait at the barrier it belongs to: it would wait for itself" if task
      raise Error, "somebody waits at this barrier already: use one for each" if @arrived

      waiting = Task.current?
      tasks.each { |awaited| awaited.check_circle(waiting) }
    end

    def check_thread
      forget_those_of_the_parent_process unless @pid == Process.pid
      return if @tasks.empty? || @scheduler.equal?(Fiber.scheduler)

      raise WrongThreadError, "another thread's reactor runs the tasks of this barrier: use one for each thread"
    end

    # In a forked child they would never end.
    def forget_those_of_the_parent_process
      @pid = Process.pid
      @tasks.clear
    end
  end
end
