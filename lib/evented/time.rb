# frozen_string_literal: true

# Sleeping, deadlines, clocks.
module Evented
  class << self
    # Lets this much time pass; the other fibers go on.
    #
    # @param seconds [Numeric, nil] nil for ever
    # @return [Integer] whole seconds that have passed
    # @raise [ArgumentError] if it is negative
    # @suspends inside a reactor; elsewhere it blocks the thread
    def sleep(seconds = nil) = Kernel.sleep(*seconds)

    # Runs the block, and ends it where it waits if it takes longer than this. No `rescue => e` of the block is in the
    # way. Timeouts may be nested: each ends its own block.
    #
    # @param seconds [Numeric, nil] nil for as long as it takes
    # @param error [Class] what is raised when the time is up
    # @param message [String]
    # @return [Object] the block's value
    # @raise [Evented::TimeoutError] or `error`, when the time is up
    # @raise [ArgumentError] if `seconds` is negative
    # @suspends if the block does
    def timeout(seconds, error: TimeoutError, message: "execution expired", &block)
      raise ArgumentError, "Evented.timeout needs a block" unless block
      return yield if seconds.nil?

      scheduler = Fiber.current_scheduler
      return ::Timeout.timeout(seconds, error, message, &block) unless scheduler.is_a?(Scheduler)

      limited(scheduler, seconds, block) { raise error, message }
    end

    # Runs the block in a child task every so many seconds, the first time after that many. It does not drift; a turn
    # that would begin before the last one has ended is left out.
    #
    # @param seconds [Numeric]
    # @param transient [Boolean] whether it does not keep the current task from ending
    # @yieldparam task [Evented::Task]
    # @return [Evented::Task] to be cancelled when it has been often enough
    # @raise [ArgumentError] if `seconds` is not positive
    # @suspends no
    def every(seconds, transient: false)
      raise ArgumentError, "Evented.every needs a block" unless block_given?
      raise ArgumentError, "the time between two turns must be positive, not #{seconds}" unless seconds.positive?

      spawn(name: "every #{seconds} s", transient: transient) do |task|
        due = clock + seconds
        loop do
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

    # The exception that ends the block is nobody else's: it carries a mark of its own.
    def limited(scheduler, seconds, block)
      mark = @mark = @mark.to_i + 1
      scheduler.__timeout_after(seconds, Expiry, mark, &block)
    rescue Expiry => e
      raise unless e.mark == mark

      yield
    end
  end
end
