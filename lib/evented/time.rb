# frozen_string_literal: true

# Sleeping, deadlines, clocks.
module Evented
  class << self
    # Lets this much time pass; the other fibers go on.
    #
    # @param seconds [Numeric, nil] nil for ever
    # @return [Integer] whole seconds that have passed
    # @raise [ArgumentError] if it is negative
    # @raise [TypeError] if it is no number
    # @suspends inside a reactor; elsewhere it blocks the thread
    # @threadsafe each call is about the fiber that makes it
    def sleep(seconds = nil)
      return Kernel.sleep if seconds.nil?

      Arguments.seconds(seconds, "the time to sleep")
      Kernel.sleep(seconds)
    end

    # Runs the block, and ends it where it waits if it takes longer than this. No `rescue => e` of the block is in the
    # way. Timeouts may be nested: each ends its own block. A task that the block starts is not limited by it.
    #
    # @param seconds [Numeric, nil] nil for as long as it takes
    # @param error [Class, nil] what is raised when the time is up; nil for {Evented::TimeoutError}
    # @param message [String, nil] nil for "execution expired"
    # @return [Object] the block's value
    # @raise [Evented::TimeoutError] or `error`, when the time is up; its backtrace is that of the wait that was ended
    # @raise [ArgumentError] if `seconds` is negative
    # @raise [TypeError] if `seconds` is no number, or `error` can't be raised
    # @suspends if the block does
    # @threadsafe each call is about the fiber that makes it
    def timeout(seconds, error: nil, message: nil, &)
      check_error(error) if error
      scheduler = Fiber.current_scheduler
      return timeout_without_reactor(seconds, error, message, &) unless seconds && scheduler.is_a?(Scheduler)

      # Local to the fiber. (An Array, because most timeouts cost no more than what is done here.)
      thread = Thread.current
      outer = thread[:__evented_limit]
      thread[:__evented_limit] = limit = [scheduler.__clock, seconds, outer]
      begin
        # The exception that ends the block is nobody else's: it carries this very limit.
        scheduler.__timeout_after(seconds, Expiry, limit, &)
      rescue Expiry => e
        raise unless e.mark.equal?(limit)

        raise error || TimeoutError, message || "execution expired", e.backtrace, cause: e.cause
      rescue LocalJumpError
        block_given? ? raise : raise(ArgumentError, "Evented.timeout needs a block")
      ensure
        thread[:__evented_limit] = outer
      end
    end

    # When the time is up for this code: the earliest end of the calls of {timeout} around it in this task. How much is
    # left is `Evented.deadline - Evented.clock`.
    #
    # A task that is started inside of a timeout is not ended by it, and so has none. The blocks that {map}, {each},
    # {all} and {race} run have the one of their caller, with whom they end.
    #
    # @return [Float, nil] on {clock}; nil if there is no limit
    # @threadsafe yes
    def deadline
      limit = Thread.current[:__evented_limit]
      earliest = nil
      while limit
        began, seconds, limit = limit
        instant = (began + seconds).to_f
        earliest = instant if earliest.nil? || instant < earliest
      end
      earliest
    end

    # Runs the block in a child task every so many seconds, the first time after that many. It does not drift; a turn
    # that would begin before the last one has ended is left out.
    #
    # @param seconds [Numeric]
    # @param transient [Boolean] whether it does not keep the current task from ending
    # @yieldparam task [Evented::Task]
    # @return [Evented::Task] to be cancelled when it has been often enough
    # @raise [ArgumentError] if `seconds` is not positive
    # @raise [TypeError] if it is no number
    # @raise [Evented::Error] outside of a reactor
    # @suspends no
    # @threadsafe each call is about the fiber that makes it
    def every(seconds, transient: false)
      raise ArgumentError, "Evented.every needs a block" unless block_given?

      Arguments.seconds(seconds, "the time between two turns")
      raise ArgumentError, "the time between two turns has to be positive, not #{seconds}" unless seconds.positive?

      spawn(name: "every #{seconds} s", transient: transient) do |task|
        due = clock + seconds
        while true # rubocop:disable Style/InfiniteLoop -- loop would take a StopIteration of the block for its end
          Kernel.sleep([due - clock, 0].max)
          yield task
          due += seconds
          due += seconds * ((clock - due) / seconds).ceil if due < clock
        end
      end
    end

    # @return [Float] seconds on a clock that never goes back; inside a reactor it is the reactor's, which tests can
    #   stop ({Testing.virtual_time})
    # @threadsafe yes
    def clock
      scheduler = Fiber.scheduler
      scheduler.is_a?(Scheduler) ? scheduler.__clock : Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    private

    # The block's value or, when the time is up, what is yielded. For what waits inside of this library: it raises
    # nothing, and {deadline} knows nothing of it.
    def limited(scheduler, seconds, block)
      mark = Object.new
      scheduler.__timeout_after(seconds, Expiry, mark, &block)
    rescue Expiry => e
      raise unless e.mark.equal?(mark)

      yield
    end

    # Also where there is no limit.
    def timeout_without_reactor(seconds, error, message, &)
      raise ArgumentError, "Evented.timeout needs a block" unless block_given?
      return yield if Arguments.timeout(seconds).nil?

      thread = Thread.current
      outer = thread[:__evented_limit]
      thread[:__evented_limit] = [clock, seconds, outer]
      begin
        ::Timeout.timeout(seconds, error || TimeoutError, message || "execution expired", &)
      ensure
        thread[:__evented_limit] = outer
      end
    end

    def check_error(error)
      return if error.respond_to?(:exception)

      raise TypeError, "error: has to be an exception's class, not #{error.inspect}"
    end
  end
end
