# frozen_string_literal: true

module Evented
  # Does what it is given, so much at a time, in fibers of a reactor that it has for itself on a thread of its own.
  #
  # The thread starts with the first piece of work, so a pool may be made before the process forks; a forked child
  # starts a thread of its own, and what the parent had posted stays the parent's. Nothing is shared between two
  # pieces of work: the failure of one is told to `on_error`, and the others go on.
  #
  # It answers what `Concurrent::ExecutorService` does, and is one where concurrent-ruby is loaded before the first pool
  # is made; so it can stand where a thread pool is asked for.
  #
  # @example
  #   pool = Evented::FiberPool.new(50, name: "mails")
  #   pool.post { deliver(mail) }
  #   pool.future { Net::HTTP.get(uri) }.value
  #   pool.shutdown
  #   pool.wait_for_termination(10) || pool.kill
  class FiberPool
    # The pool takes no more work: it is full, or was shut down.
    class Rejected < Error; end

    # A piece of work was ended, or never begun, because the pool was killed. The value of its future.
    class Killed < Error; end

    # What is to be done: with which arguments, and who is to have its value.
    #
    # @private
    Work = Struct.new(:block, :arguments, :promise)
    private_constant :Work

    # @return [Integer] how many pieces of work are done at a time
    attr_reader :size
    alias max_length size

    # @return [String] of its thread, and in {Evented.dump}
    attr_reader :name

    # @return [Numeric, nil] after how many seconds a piece of work is ended
    attr_reader :timeout

    class << self
      # concurrent-ruby asks for its module; what is in there is defined here.
      #
      # @private
      def new(...)
        include(Concurrent::ExecutorService) if defined?(Concurrent::ExecutorService)
        super
      end
    end

    # @param size [Integer] how many pieces of work are done at a time; at least 1
    # @param name [String, nil] of its thread, and in {Evented.dump}
    # @param max_queue [Integer, nil] how many may wait beyond that; nil for any number
    # @param timeout [Numeric, nil] after how many seconds a piece of work is ended with {Evented::TimeoutError}
    # @param on_idle [#call, nil] is called when a piece of work has ended and there is room for another
    # @param on_error [#call, nil] is called with what a posted block raised; nil to have it written to stderr
    # @raise [TypeError, ArgumentError]
    # @threadsafe yes
    def initialize(size, name: nil, max_queue: nil, timeout: nil, on_idle: nil, on_error: nil)
      @size = Arguments.integer(size, "the size of a pool")
      @name = name || "evented-pool"
      @max_queue = max_queue.nil? ? nil : Arguments.integer(max_queue, "the length of a queue", least: 0)
      @timeout = Arguments.timeout(timeout)
      @on_idle = callable(on_idle, "on_idle")
      @on_error = callable(on_error, "on_error")
      @lock = Lock.new
      @shutdown = false
      begin_afresh
    end

    # Has the block called in a fiber of its own as soon as there is room.
    #
    # @param arguments [Array] are given to the block
    # @return [true]
    # @raise [Evented::FiberPool::Rejected] if the pool was shut down, or as many wait as may
    # @raise [ThreadError] if the system has no room for its thread
    # @suspends no
    # @threadsafe yes
    def post(*arguments, &block)
      raise ArgumentError, "post needs a block" unless block

      enter(Work.new(block, arguments))
      true
    end

    # As {#post}.
    #
    # @param callable [#call]
    # @return [self]
    # @raise (see #post)
    # @suspends no
    # @threadsafe yes
    def <<(callable)
      post { callable.call }
      self
    end

    # As {#post}, for a block whose value is wanted.
    #
    # @param (see #post)
    # @return [Evented::Promise] of the block's value; it is rejected with what the block raised, or with {Killed}
    # @raise (see #post)
    # @suspends no
    # @threadsafe yes
    def future(*arguments, &block)
      raise ArgumentError, "future needs a block" unless block

      promise = Promise.new
      enter(Work.new(block, arguments, promise))
      promise
    end

    # @return [Integer] how many more pieces of work would begin at once
    # @threadsafe yes
    def available_capacity = [@size - pending, 0].max

    # @return [Boolean] whether another piece of work would begin at once
    # @threadsafe yes
    def idle? = available_capacity.positive?

    # @return [Integer] how many pieces of work are being done
    # @threadsafe yes
    def length = [pending, @size].min
    alias active_count length

    # @return [Integer] how many pieces of work wait for room
    # @threadsafe yes
    def queue_length = [pending - @size, 0].max

    # @return [Integer] how many more may be posted; -1 for any number, as concurrent-ruby has it
    # @threadsafe yes
    def remaining_capacity = @max_queue ? [@size + @max_queue - pending, 0].max : -1

    # @return [Integer] how many pieces of work have ended
    # @threadsafe yes
    def completed_task_count = @completed

    # @return [Integer] how many pieces of work have been posted
    # @threadsafe yes
    def scheduled_task_count = @completed + pending

    # @return [Boolean] whether work may be turned away because too much of it waits
    # @threadsafe yes
    def can_overflow? = !@max_queue.nil?

    # @return [Boolean] whether work is done strictly one after the other
    # @threadsafe yes
    def serialized? = @size == 1

    # @return [Symbol] what becomes of work that is turned away: {Rejected} is raised
    # @threadsafe yes
    def fallback_policy = :abort

    # @return [Boolean] whether it takes work
    # @threadsafe yes
    def running? = !@shutdown

    # @return [Boolean] whether it takes no more work and has not done all of it
    # @threadsafe yes
    def shuttingdown? = @shutdown && !over?

    # @return [Boolean] whether it takes no more work and all has been done
    # @threadsafe yes
    def shutdown? = @shutdown && over?

    # Takes no more work. What was posted is still done, also what waits.
    #
    # @return [Boolean] whether it was still running
    # @suspends no
    # @threadsafe yes
    def shutdown
      @lock.exclusively do
        return false if @shutdown

        @shutdown = true
        @inbox.close if mine?
      end
      true
    end

    # Takes no more work, does not begin what waits, and cancels what is being done: {Evented::Cancel} is raised in it
    # where it waits, and it cleans up. Work that never waits is not ended by that.
    #
    # @return [void]
    # @suspends no
    # @threadsafe yes
    def kill
      shutdown
      return unless mine?

      drop_all("the pool was killed before it began")
      @orders << :kill
    end

    # Waits until all work has been done after {#shutdown} or {#kill}.
    #
    # @param timeout [Numeric, nil] how many seconds at most; nil for as long as it takes
    # @return [Boolean] whether it has been
    # @raise [TypeError, ArgumentError] if the timeout is no number, or negative
    # @suspends until then
    # @threadsafe yes
    def wait_for_termination(timeout = nil)
      return true if shutdown?

      @terminated.value(timeout: timeout)
      true
    rescue TimeoutError
      false
    end

    # @return [String]
    def inspect
      state = @shutdown ? (over? && "shut down") || "shutting down" : "running"
      "#<#{self.class} #{@name.inspect} #{state} size=#{@size} active=#{length} waiting=#{queue_length}>"
    end

    private

    def callable(object, name)
      return object if object.nil? || object.respond_to?(:call)

      raise ArgumentError, "#{name} has to respond to call: #{object.inspect} does not"
    end

    # A forked child has neither the thread nor the work of its parent.
    def begin_afresh
      @pid = Process.pid
      @inbox = Thread::Queue.new
      @orders = Thread::Queue.new
      @terminated = Promise.new
      @thread = nil
      # How many have been posted and have not ended, and how many have.
      @pending = @completed = 0
    end

    def mine? = @pid == Process.pid

    def pending = mine? ? @pending : 0

    # Whether nothing runs, nor will.
    def over? = !mine? || @thread.nil? || @terminated.settled?

    def enter(work)
      @lock.exclusively do
        raise Rejected, "#{inspect} takes no more work" if @shutdown

        begin_afresh unless mine?
        raise Rejected, "#{inspect} is full: try again later" if @max_queue && @pending >= @size + @max_queue

        @thread ||= start
        @pending += 1
        @inbox << work
      end
    end

    def start
      thread = Thread.new do
        # It is started where nothing may interrupt, and would inherit that, and what fibers hand on.
        Thread.handle_interrupt(Object => :immediate) do
          Fiber.current.storage&.each_key { |key| Fiber[key] = nil }
          serve
        end
      end
      thread.name = @name
      thread.report_on_exception = false
      thread
    end

    def serve
      Task.run(name: @name) do |root|
        root.spawn(name: "orders", transient: true) do
          @orders.pop
          root.cancel("the pool was killed")
        end
        dispatch(root)
      end
    rescue Cancel
      nil # killed
    rescue Exception => e # rubocop:disable Lint/RescueException
      report(e)
    ensure
      @lock.exclusively do
        @shutdown = true
        @inbox.close
      end
      drop_all("the pool's thread has ended")
      @terminated.try_resolve(true)
    end

    def dispatch(root)
      slots = Semaphore.new(@size)
      while (work = @inbox.pop)
        begin
          room = false
          slots.acquire
          room = true
        ensure
          # This fiber was cancelled, and has what nobody else knows of any more.
          drop(work, "the pool was killed before it began") unless room
        end
        begin_work(root, work, slots)
      end
    end

    def begin_work(root, work, slots)
      begun = false
      task = root.spawn(name: "#{@name} work") do
        begun = true
        perform(work)
      ensure
        slots.release
        ended
      end
    rescue StandardError => e
      # There is no room for its fiber, or what tasks run in refuses it.
      raise if begun

      slots.release
      fail_with(work, e)
      ended
    else
      # What is cancelled before it begins never does.
      return if begun || task.alive?

      slots.release
      drop(work, "the pool was killed before it began")
    end

    def perform(work)
      value = @timeout ? Evented.timeout(@timeout) { call(work) } : call(work)
      work.promise&.try_resolve(value)
    rescue Cancel => e
      work.promise&.try_reject(killed("the pool was killed", e))
      raise
    rescue Exception => e # rubocop:disable Lint/RescueException
      fail_with(work, e)
    ensure
      # `throw`, or Fiber#kill
      left = work.promise && !work.promise.settled?
      work.promise.try_reject(killed("it was left before it had ended", nil)) if left
    end

    def call(work) = work.block.call(*work.arguments)

    # Also what a callback of the promise raised, when nobody can be given that any more.
    def fail_with(work, error) = work.promise&.try_reject(error) || report(error)

    def drop_all(why)
      while (work = take)
        drop(work, why)
      end
    end

    def take
      @inbox.pop(true)
    rescue ThreadError
      nil # it is empty
    end

    def drop(work, why)
      work.promise&.try_reject(killed(why, nil))
      ended
    end

    def killed(why, cause)
      raise Killed, why, cause: cause
    rescue Killed => e
      e
    end

    def ended
      @lock.exclusively do
        @pending -= 1
        @completed += 1
      end
      @on_idle&.call if idle?
    rescue StandardError => e
      report(e)
    end

    # Failures of work whose value nobody waits for.
    def report(error)
      return @on_error.call(error) if @on_error

      warn "evented: #{@name}: a posted block failed: #{error.full_message(highlight: false)}"
    rescue StandardError => e
      warn "evented: #{@name}: on_error failed: #{e.full_message(highlight: false)}"
    end
  end
end
