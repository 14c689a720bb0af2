# frozen_string_literal: true

require_relative "doorbell"

module Evented
  # A task around the tasks of one call. However that call ends, it leaves none of them behind: they have ended, and
  # have cleaned up.
  #
  # @private
  class Scope
    # @return [Evented::Task] the task around the others
    attr_reader :task

    # In a task.
    #
    # @param name [String] for {Evented.dump}
    def initialize(name)
      @name = name
      @bell = Doorbell.new(name)
      # They end with the caller, whose deadline is theirs.
      deadline = Evented.deadline
      @limit = [deadline, 0, nil] if deadline
    end

    # Runs the block in a child of the current task.
    #
    # @yieldparam scope [self]
    # @return [Object] the block's value
    # @suspends until all have ended
    def run(&)
      start(&)
      @task.wait
    ensure
      close
    end

    # Starts the block in a child of the current task.
    #
    # @param transient [Boolean] whether that does not keep its parent from ending
    # @yieldparam scope [self]
    # @return [void]
    def start(transient: false)
      Task.current.spawn(name: @name, transient: transient) do |task|
        @task = task
        adopt_limit
        yield self
      end
    end

    # Cancels what has not ended and waits for its clean-up, whose failures are raised.
    #
    # @return [void]
    # @suspends until all have ended
    def close
      return unless @task

      @task.cancel("its caller goes on without it") if @task.alive?
      # If an exception is on its way already, the parent hears of them.
      @task.wait if @task.ended == :failed && $!.nil?
    end

    # @yieldparam task [Evented::Task]
    # @return [Evented::Task]
    # @suspends until the child first waits
    def spawn
      @task.spawn do |task|
        adopt_limit
        yield task
      end
    end

    # Waits, in the scope's own task, until the block, which is asked again at each {wake}, says so.
    #
    # @suspends unless it does at once
    def wait_until(&) = @bell.wait_until(&)

    # @return [void]
    def wake = @bell.ring

    private

    def adopt_limit
      Thread.current[:__evented_limit] = @limit if @limit
    end
  end
  private_constant :Scope
end
