# frozen_string_literal: true

require "active_job"
require "concurrent/scheduled_task"
require "evented/rails"
require "securerandom"

module ActiveJob
  module QueueAdapters
    # Does jobs in this process, in fibers: `config.active_job.queue_adapter = :evented`. As with `:async`, they are
    # gone with the process, so it is for development, for tests, and for what may get lost.
    #
    # One reactor on a thread of its own does them, `size` at a time; it starts with the first job, also after a fork.
    class EventedAdapter < AbstractAdapter
      # @param size [Integer] how many jobs are done at a time
      # @param timeout [Numeric, nil] seconds after which a job is ended
      # @raise [TypeError, ArgumentError]
      def initialize(size: 100, timeout: nil)
        super()
        @pool = ::Evented::FiberPool.new(size, name: "evented-jobs", timeout: timeout, on_error: lambda { |error|
          ActiveSupport.error_reporter.report(error, handled: false, source: "evented.active_job")
        })
      end

      # @param job [ActiveJob::Base]
      # @return [void]
      # @raise [Evented::FiberPool::Rejected] after {#shutdown}
      # @suspends no
      # @threadsafe yes
      def enqueue(job)
        data = serialize(job)
        @pool.post { Base.execute(data) }
      end

      # @param job [ActiveJob::Base]
      # @param timestamp [Numeric] when to do it, in seconds since 1970
      # @return [void]
      # @raise [Evented::FiberPool::Rejected] after {#shutdown}
      # @suspends no
      # @threadsafe yes
      def enqueue_at(job, timestamp)
        delay = timestamp - Time.now.to_f
        return enqueue(job) unless delay.positive?

        data = serialize(job)
        Concurrent::ScheduledTask.execute(delay, executor: @pool) { Base.execute(data) }
      end

      # Takes no more jobs, and waits for those that it has; not for those whose time has not come.
      #
      # @param wait [Boolean]
      # @param timeout [Numeric, nil] seconds after which those that are not done are cancelled
      # @return [Boolean] whether all are done
      # @suspends if it waits
      # @threadsafe yes
      def shutdown(wait: true, timeout: nil)
        @pool.shutdown
        return @pool.shutdown? unless wait

        @pool.wait_for_termination(timeout) || (@pool.kill && false)
      end

      # @return [Boolean] whether jobs that can be interrupted should be
      # @threadsafe yes
      def stopping? = !@pool.running?

      private

      def serialize(job)
        job.provider_job_id = SecureRandom.uuid
        job.serialize
      end
    end
  end
end
