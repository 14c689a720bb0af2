# frozen_string_literal: true

module Evented
  # The fiber scheduler of one thread, with every hook of Ruby's Fiber::Scheduler.
  #
  # Most programs use {Evented.run} or `Evented { … }`, which make one, set it, run it and close it. Set by hand it
  # works as any other:
  #
  # @example
  #   Thread.new do
  #     Fiber.set_scheduler(Evented::Scheduler.new)
  #     Fiber.schedule { puts Net::HTTP.get(uri).size }
  #   end.join # the thread's end runs what is left
  #
  # Owned by one thread: other threads may only call `unblock` and `fiber_interrupt`. In a forked child it starts
  # afresh, with the fiber that forked and no other.
  #
  # The hooks are native. Ruby calls them; a program has no reason to.
  class Scheduler < Native::Scheduler
    # How long fibers may take to clean up after {#close} has cancelled them, in seconds, before they are cancelled
    # again; how often that is done before they are killed; and after how long those are looked for that could not be
    # cancelled yet.
    CLEAN_UP_SECONDS = 1
    CLEAN_UP_ROUNDS = 3
    CLEAN_UP_STEP = 0.02
    private_constant :CLEAN_UP_SECONDS, :CLEAN_UP_ROUNDS, :CLEAN_UP_STEP

    # What {#close} raises in fibers.
    #
    # @private
    class Closing < Cancel
      def initialize = super("the scheduler is closed")
    end

    @refusal_told = false
    # Fibers that nothing could end. They are kept as long as the process lives.
    @abandoned = []

    class << self
      # @private
      def abandon(fibers)
        @abandoned.concat(fibers)
      end

      # What the order of the fibers of a turn depends on, in tests ({Testing.seed}).
      #
      # @private
      attr_accessor :seed

      # Says once a process that io_uring was refused, for otherwise nobody learns why things are slower here.
      #
      # @private
      def tell_refusal(reason)
        return if @refusal_told

        @refusal_told = true
        warn "evented: io_uring is not to be had here (#{reason}); the poll driver takes its place. " \
             "Set EVENTED_DRIVER=poll to choose it and silence this."
      end
    end

    # @param fiber [Fiber] who runs the loop: the root fiber of its thread
    # @raise [Evented::Error] if `EVENTED_DRIVER` names a driver that does not exist or is refused here, and in a Ractor
    #   other than the main one
    def initialize(fiber = Fiber.current)
      unless Ractor.current.equal?(Ractor.main)
        raise Error, "evented works in the main Ractor only: start a thread there, which can have a reactor of its own"
      end

      super(fiber, ENV.fetch("EVENTED_DRIVER") { "poll" if native_thread_may_change? })
      @error_at_start = $!
      # For who looks at it from another thread.
      @driver_name = driver
      # Those who have time be virtual: their fiber, to their task.
      @virtual = nil
      (reason = __refusal) && self.class.tell_refusal(reason)
      LoggerRepairs.install
    end

    # Runs until no fiber waits any more.
    #
    # @return [void]
    # @raise what a fiber raised and did not rescue: at once. The other fibers are not affected; they go on with the
    #   next `run`, or with {#close}
    # @raise [Evented::Error] if it is running already
    def run
      __run(nil)
    end

    # Runs until no fiber waits any more and gives the reactor back. If an exception is on its way out of the thread
    # (or the thread is being killed) it does not wait: every fiber is cancelled, and cleans up. One that ignores that
    # three times, a second each, is killed.
    #
    # Ruby calls this when the scheduler is replaced and when its thread ends.
    #
    # @return [void]
    # @raise the first exception that a fiber raised and did not rescue, after all are done
    # @raise [Evented::WrongThreadError] on another thread
    def close
      # A poisoned one counts as closed, and still has its ring.
      return __release if closed?

      __admit
      if Fiber.current.equal?(__home)
        __keep_error { shut_down }
      elsif __reborn?
        # A forked child exits inside a fiber: the loop below it and all other fibers are the parent's.
        __release
      else
        raise Error, "a fiber can't close the scheduler that it runs in: let it end, or close it from outside"
      end
    end
    alias scheduler_close close

    # Runs the block and raises in this fiber, where it waits, when the time is up: what Timeout.timeout calls.
    #
    # @param seconds [Numeric]
    # @param error [Class] raised in the block if it was asked for by name; Timeout::Error is raised past all of the
    #   block's rescue clauses, as without a scheduler
    # @param message [String]
    # @return [Object] the block's value
    # @suspends if the block does
    def timeout_after(seconds, error, message, &block)
      return super unless defined?(Timeout::Error) && error.equal?(Timeout::Error) && error.respond_to?(:handle_timeout)

      error.handle_timeout(message) { |exception| super(seconds, exception, message, &block) }
    end

    # Carries an operation out that would block the thread, on another one if there is anybody to be kept waiting.
    #
    # @param operation [#call]
    # @return [void]
    # @suspends until it is done, even if the fiber is cancelled: the operation works on its stack
    def blocking_operation_wait(operation)
      # Inside a non-blocking fiber the call would come back to this hook.
      # A thread of the pool does not wait for another one: there may be none.
      return Fiber.blocking { operation.call } if idle? || OffloadPool.inside?

      failure = nil
      __offload do |ticket|
        OffloadPool.current.submit(operation) do |error|
          failure = error
          __offloaded(ticket)
        end
      end
      raise failure if failure
    end

    # The task that `Evented { … }` runs at top level.
    #
    # @private
    attr_reader :root

    # @private
    def root=(task)
      @root = task
      self.__watch_deadlock = true
      self.__seed = self.class.seed if self.class.seed
    end

    # What the current fiber is to raise instead of waiting.
    #
    # @private
    def __interruption = Task.current?&.interruption

    # Nothing is under way that could end any wait, and the loop is about to sleep for ever.
    #
    # @private
    def __stuck
      # A sleep may be for a signal, and what is offloaded ends.
      return if __waits.any? { |_, what| %i[sleep offload].include?(what) }
      return if Thread.list.any? { |thread| may_wake_us?(thread) }

      @root.stuck(Deadlock.new("nothing can ever wake this reactor again:\n#{Dump.new([@root])}"))
    end

    # Has time be virtual while the block runs, in a task of the current fiber's own; there may be several at once.
    #
    # @private
    def virtual_time(task)
      (@virtual ||= {}.compare_by_identity)[Fiber.current] = task
      self.__virtual_time = true
      yield
    ensure
      @virtual.delete(Fiber.current)
      self.__virtual_time = @virtual.any?
    end

    # In virtual time, the loop is about to sleep while somebody waits for what takes real time: the last who asked for
    # virtual time hears of it.
    #
    # @private
    def __real_wait_pending
      fiber, task = @virtual.to_a.last
      error = Error.new("virtual time can't pass while somebody waits for a descriptor or a process: let that happen " \
                        "outside of Evented::Testing.virtual_time, or in no time\n#{Dump.new([@root || task])}")
      raise error unless __interrupt(fiber, error)
    end

    # @return [String]
    def inspect
      return "#<#{self.class} closed>" if closed?

      "#<#{self.class} #{@driver_name} parked=#{stats[:parked]}>"
    end

    private

    # A ring answers only the native thread that made it. From 3.4 on a Ruby thread can be tied to its native one.
    def native_thread_may_change?
      RUBY_VERSION < "3.4" && ENV["RUBY_MN_THREADS"] == "1"
    end

    def shut_down
      failures = []
      # Whatever fails while fibers clean up, it does not keep the process from ending.
      ends = leaving? && (SystemExit === $! || SignalException === $!) # rubocop:disable Style/CaseEquality
      begin
        begin
          drain(failures) unless leaving?
        ensure
          unwind(failures)
        end
      ensure
        __release
      end
      raise failures.first if failures.any? && !ends
    end

    # Whether the thread is being killed, or an exception is on its way out of the code that made this scheduler.
    def leaving?
      Thread.current.status == "aborting" || ($! && !$!.equal?(@error_at_start))
    end

    def drain(failures, seconds = nil)
      limit = seconds && (now + seconds)
      loop do
        run_through(failures, seconds)
        break if idle? || (limit && now >= limit)
      end
    end

    def run_through(failures, seconds)
      __run(seconds)
    rescue Cancel
      # A fiber that was told to stop and did.
    rescue StandardError, ScriptError => e
      failures << e
    rescue Exception => e # rubocop:disable Lint/RescueException
      # The process or the thread is to end (exit, Interrupt): nobody goes on as if nothing had happened.
      failures.unshift(e)
      unwind(failures)
    end

    # No fiber is left behind that could still clean up: its mutexes would stay locked, and Ruby (up to 4.0 at least)
    # crashes if one of them is collected with it.
    def unwind(failures)
      CLEAN_UP_ROUNDS.times { end_all(failures) { |fiber| __interrupt(fiber, Closing.new) } }
      return if idle?

      warn "evented: #{stats[:parked]} fibers ignored being cancelled and are killed"
      end_all(failures) { |fiber| kill(fiber, failures) }
      return if idle?

      warn "evented: #{stats[:parked]} fibers went on waiting when they were killed, and are abandoned"
      self.class.abandon(__waiting)
    end

    # Tells every fiber once to end, those that are about to run as soon as they wait again, and lets them clean up.
    def end_all(failures)
      told = {}.compare_by_identity
      limit = now + CLEAN_UP_SECONDS
      until idle? || now >= limit
        __waiting.each { |fiber| told[fiber] ||= yield(fiber) }
        drain(failures, CLEAN_UP_STEP)
      end
    end

    # No `rescue` clause can ignore that, and all `ensure` clauses run.
    def kill(fiber, failures)
      fiber.kill
    rescue Exception => e # rubocop:disable Lint/RescueException
      failures << e unless e.is_a?(Cancel)
      fiber
    end

    # A thread of the offload pool that has nothing to do won't, and that of Ruby's Timeout has not to do with us.
    def may_wake_us?(thread)
      !thread.equal?(Thread.current) && !OffloadPool.idle?(thread) &&
        !thread.thread_variable?(:"\x00__detached_thread__")
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
