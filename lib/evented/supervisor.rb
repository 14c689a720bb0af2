# frozen_string_literal: true

require_relative "doorbell"
require_relative "scope"

module Evented
  # Keeps tasks going: those that fail are started again, after a while, and not for ever.
  #
  # The words are Erlang's. A `:permanent` child is started again however it ends; a `:transient` one if it fails; a
  # `:temporary` one never. With `:one_for_one` nobody else notices; with `:one_for_all` the others are cancelled, and
  # all are started again. If that happens more than `intensity` times within `period` seconds, all are cancelled
  # and {TooManyRestarts} is raised where the supervisor runs.
  #
  # Each failure of a child is told to `on_failure`, and none is raised elsewhere.
  #
  # @example
  #   Evented::Supervisor.run do |supervisor|
  #     supervisor.supervise(name: "feed") { listen_to_feed }
  #     supervisor.supervise(name: "import", restart: :transient) { import }
  #   end
  #
  # Owned by the thread whose reactor runs it.
  class Supervisor
    # Its children failed too often. The last failure is its `cause`.
    class TooManyRestarts < Error; end

    # What is known of one child: its place, how it is started, how often it was in a row, when its block last began.
    #
    # @private
    Child = Struct.new(:number, :name, :restart, :block, :attempt, :began)
    private_constant :Child

    STRATEGIES = %i[one_for_one one_for_all].freeze
    RESTARTS = %i[permanent transient temporary].freeze
    private_constant :STRATEGIES, :RESTARTS

    # What `on_failure` is by default.
    REPORT = lambda do |task, error|
      warn "evented: the supervised task #{task.name.inspect} failed: #{error.class}: #{error.message} " \
           "(#{error.backtrace&.first})"
    end
    private_constant :REPORT

    class << self
      # Runs one: as {#initialize}, and {#run}.
      #
      # @param (see #initialize)
      # @yieldparam supervisor [Evented::Supervisor]
      # @return (see #run)
      # @raise (see #run)
      # @suspends until all its children have ended
      # @threadsafe each call runs on the thread that makes it
      def run(**, &block)
        raise ArgumentError, "Supervisor.run needs a block: Supervisor.run { |supervisor| … }" unless block

        new(**).run(&block)
      end

      # How long to wait before the first, second, … attempt: twice as long each time, of which a random share is
      # waited, so that what failed together does not come back together ("full jitter": Marc Brooker, "Exponential
      # Backoff And Jitter", AWS Architecture Blog, 2015). The default begins so low that a child that fails at once
      # meets the default intensity, 3 within 5 seconds, after 1.5 seconds at most.
      #
      # @param base [Numeric] seconds before the first
      # @param factor [Numeric] by which that grows
      # @param max [Numeric] seconds that it does not grow beyond
      # @param jitter [Boolean] whether a random share is waited, or all
      # @return [Proc] from the number of the attempt, counted from 0, to seconds
      # @raise [ArgumentError] if a number is negative, or the factor is less than 1
      # @raise [TypeError] if one is no number
      # @threadsafe yes
      def backoff(base: 0.1, factor: 2, max: 30, jitter: true)
        Arguments.seconds(base, "base:")
        Arguments.number(factor, "factor:", least: 1)
        Arguments.seconds(max, "max:")
        lambda do |attempt|
          seconds = [base * (factor.to_f**attempt), max].min
          jitter ? Kernel.rand * seconds : seconds
        end
      end
    end

    # @return [Integer] how often children were started again
    attr_reader :restarts

    # @param strategy [Symbol] `:one_for_one` or `:one_for_all`
    # @param intensity [Integer] how many restarts are in order within the period
    # @param period [Numeric] seconds; who has run that long has not failed in a row
    # @param backoff [#call, nil] from the number of the attempt to the seconds to wait before it; nil for none
    # @param on_failure [#call, nil] is given the task and the error; by default a warning
    # @raise [ArgumentError] if there is no such strategy, a number is negative or something can't be called
    # @raise [TypeError] if a number is none
    def initialize(strategy: :one_for_one, intensity: 3, period: 5, backoff: Supervisor.backoff, on_failure: REPORT)
      check_choice(strategy, STRATEGIES, "strategy")
      Arguments.integer(intensity, "intensity:", least: 0)
      Arguments.seconds(period, "period:")
      { backoff: backoff, on_failure: on_failure }.each do |name, callable|
        next if callable.nil? || callable.respond_to?(:call)

        raise ArgumentError, "#{name}: has to respond to call, as a lambda does, or be nil: #{callable.inspect}"
      end
      @strategy = strategy
      @intensity = intensity
      @period = period
      @backoff = backoff
      @on_failure = on_failure
      @ended = method(:ended)
      @restarts = 0
      # When the last ones were, as long as they count.
      @recent = []
      # The task around the children while it runs; whether that is about to end; and what it was told to stop with.
      @scope = nil
      @leaving = false
      @stop = nil
      # Children that are to be started; how many there were; tasks, to their child; tasks that have ended, and their
      # child, to be seen to.
      @waiting = []
      @number = 0
      @running = {}.compare_by_identity
      @arrived = []
    end

    # Has a task started as soon as the supervisor has its turn, and started again.
    #
    # @param name [String, nil] for {Evented.dump}; by default where the block stands
    # @param restart [Symbol] `:permanent`, `:transient` or `:temporary`
    # @yieldparam task [Evented::Task] the task, another one each time
    # @return [self]
    # @raise [ArgumentError] if there is no block, or no such kind of restart
    # @raise [Evented::WrongThreadError] if another thread's reactor runs the supervisor
    # @suspends no
    def supervise(name: nil, restart: :permanent, &block)
      raise ArgumentError, "supervise needs a block: supervisor.supervise { … }" unless block

      check_choice(restart, RESTARTS, "restart")
      check_thread
      name ||= block.source_location&.join(":")
      @waiting << Child.new(@number += 1, name, restart, block, 0)
      @scope&.wake
      self
    end

    # Runs its children until all have ended for good, which permanent ones never do.
    #
    # @yieldparam supervisor [self] to say who they are
    # @return [void] also after {#cancel}
    # @raise [Evented::Supervisor::TooManyRestarts] if they failed too often
    # @raise [Evented::Error] if it runs already
    # @raise what the block raised, or a child while it cleaned up, or `backoff` or `on_failure`
    # @raise [TypeError, ArgumentError] if what `backoff` returns is no number of seconds
    # @suspends until all have ended and cleaned up; outside of a reactor it runs one
    # @threadsafe each call runs on the thread that makes it
    def run(&)
      return Evented.run { run(&) } unless Task.current?
      raise Error, "this supervisor runs already: make another one" if @scope

      @stop = nil
      @recent.clear
      @scope = Scope.new("Evented::Supervisor")
      begin
        @scope.run { oversee(&) }
      rescue Cancel => e
        raise unless e.equal?(@stop)
      ensure
        @scope = nil
        @arrived.clear
        @waiting.clear
      end
      nil
    end

    # Cancels its children and has {#run} return.
    #
    # @param reason [Object, nil] kept in the exception
    # @return [Boolean] whether it ran
    # @raise [Evented::WrongThreadError] if another thread's reactor runs it
    # @suspends until all have cleaned up, unless one of them calls this
    def cancel(reason = nil)
      check_thread
      task = @scope&.task
      return false unless task&.alive?

      task.cancel_with(@stop = Cancel.new(reason, site: caller_locations(1, 1)&.first)) unless @stop
      current = Task.current?
      task.ended unless current.equal?(task) || current&.inside?(task)
      true
    end

    # @return [Array<Evented::Task>] those of its children that have not ended; one that waits to be started again is a
    #   task as well
    # @threadsafe yes
    def children = @running.keys

    # @return [String]
    def inspect = "#<#{self.class} #{@strategy} children=#{@running.size} restarts=#{@restarts}>"

    private

    # In the task around the children.
    def oversee
      @leaving = false
      yield self if block_given?
      while true # rubocop:disable Style/InfiniteLoop -- loop would take a StopIteration of a callback for its end
        until @waiting.empty? && @arrived.empty?
          # In turns: there may always be another one to start.
          start(@waiting.shift) unless @waiting.empty?
          see_to(*@arrived.shift) until @arrived.empty?
        end
        break if @running.empty? && @waiting.empty?

        @scope.wait_until { @arrived.any? || @waiting.any? }
      end
    ensure
      # From now on a failure is this task's own.
      @leaving = true
      @arrived.map(&:first).each(&:disclaim)
    end

    def start(child, pause = 0)
      task = @scope.task.spawn(name: child.name) do |me|
        me.annotate("waits to be started again") { Evented.sleep(pause) } if pause.positive?
        child.began = Evented.clock
        child.block.call(me)
      end
      @running[task] = child
      task.on_complete(@ended)
    end

    # In the task's fiber, before its parent learns of it.
    def ended(task)
      child = @running.delete(task)
      return if @leaving

      task.claim
      @arrived << [task, child]
      @scope.wake
    end

    def see_to(task, child)
      report(task)
      return unless again?(task, child)

      count(task)
      child.attempt = 0 if child.began && Evented.clock - child.began > @period
      pause = @backoff ? Arguments.seconds(@backoff.call(child.attempt), "what backoff: returns") : 0
      child.attempt += 1
      all = @strategy == :one_for_all ? [child, *end_the_others].sort_by(&:number) : [child]
      all.each { |one| start(one, pause) }
    end

    # @return [Array<Child>] those that are to be started again
    def end_the_others
      cancel = Cancel.new("another task of its supervisor ended, and all are started again")
      @running.each_key { |task| task.cancel_with(cancel) }
      @scope.wait_until { @running.empty? }
      ended = @arrived.dup
      @arrived.clear
      ended.filter_map do |task, child|
        report(task)
        child if again?(task, child) || (task.status == :cancelled && child.restart != :temporary)
      end
    end

    def again?(task, child)
      child.restart == :permanent || (child.restart == :transient && task.status == :failed)
    end

    def report(task)
      return unless task.status == :failed

      task.heard
      @on_failure&.call(task, task.error)
    end

    def count(task)
      @restarts += 1
      now = Evented.clock
      @recent << now
      @recent.shift while @recent.first < now - @period
      return if @recent.size <= @intensity

      error = task.error
      because = ", which failed with #{error.class}" if error
      raise TooManyRestarts, "#{@recent.size} restarts within #{@period} s, where #{@intensity} are in order: mend " \
                             "#{task.name.inspect}#{because}, or allow more with intensity: and period:", cause: error
    end

    def check_choice(choice, choices, name)
      return if choices.include?(choice)

      raise ArgumentError, "#{name}: is one of #{choices.map(&:inspect).join(", ")}, not #{choice.inspect}"
    end

    def check_thread
      return if @scope.nil? || @scope.task.scheduler.equal?(Fiber.scheduler)

      raise WrongThreadError, "another thread's reactor runs this supervisor: make one for each thread"
    end
  end
end
