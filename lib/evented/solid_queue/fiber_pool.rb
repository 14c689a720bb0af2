# frozen_string_literal: true

module Evented
  module SolidQueue
    # What a worker of Solid Queue gives the jobs to that it has claimed. Its reactor starts with the first of them, for
    # the worker is made before its process forks.
    #
    # When the worker stops, jobs that are not done in time are cancelled where they wait, clean up, and go back to the
    # queue; no thread is left behind that goes on with one that somebody else has taken up.
    class FiberPool
      # For how long jobs that are cancelled may clean up, in seconds.
      CLEAN_UP = 5
      private_constant :CLEAN_UP

      # @return [Integer] how many jobs are done at a time
      attr_reader :size

      # @return [Symbol, nil] the shard of the queue's database that its worker works on
      attr_reader :shard

      # @param size [Integer] how many jobs are done at a time
      # @param shard [Symbol, nil] the shard of the queue's database that its worker works on
      # @param on_idle [#call, nil] is called when there is room for a job again
      # @param on_unrecoverable_error [#call, nil] is called when the worker has to stop
      # @param timeout [Numeric, nil] seconds after which a job is ended
      # @raise [TypeError, ArgumentError]
      def initialize(size, shard: nil, on_idle: nil, on_unrecoverable_error: nil, timeout: SolidQueue.job_timeout)
        @size = size
        @shard = shard
        @on_unrecoverable_error = on_unrecoverable_error
        @pool = Evented::FiberPool.new(size, name: "solid_queue-fibers", max_queue: 0, on_idle: on_idle,
                                             timeout: timeout, on_error: method(:handle_error))
        # Its own ways to wrap a job and to tell of an error.
        extend(::SolidQueue::AppExecutor) if defined?(::SolidQueue::AppExecutor)
      end

      # @return [:fiber]
      def type = :fiber

      # @param execution [SolidQueue::ClaimedExecution]
      # @return [void]
      # @raise [RuntimeError] if there is no room, or it is shutting down
      # @suspends no
      # @threadsafe yes
      def post(execution)
        @pool.post { wrap_in_app_executor { execution.perform } }
      rescue Evented::FiberPool::Rejected
        raise "Execution pool is #{@pool.running? ? "at capacity" : "shutting down"}"
      end

      # @return [Integer] how many jobs it has room for
      # @threadsafe yes
      def available_capacity = @pool.available_capacity
      alias idle_threads available_capacity

      # @return [Boolean] whether it has room for a job
      # @threadsafe yes
      def idle? = @pool.idle?

      # Takes no more jobs.
      #
      # @return [Boolean] whether it did
      # @suspends no
      # @threadsafe yes
      def shutdown = @pool.shutdown

      # @return [Boolean] whether it takes no more jobs
      # @threadsafe yes
      def shutdown? = !@pool.running?

      # Waits until all jobs have ended, and cancels those that have not in time.
      #
      # @param timeout [Numeric] seconds
      # @return [Boolean] whether all have ended
      # @suspends until then
      # @threadsafe yes
      def wait_for_termination(timeout)
        return true if @pool.wait_for_termination(timeout)

        @pool.kill
        @pool.wait_for_termination(CLEAN_UP)
      end

      private

      def handle_error(error)
        unrecoverable = defined?(::SolidQueue::Processes::UnrecoverableError) &&
                        ::SolidQueue::Processes::UnrecoverableError === error # rubocop:disable Style/CaseEquality
        @on_unrecoverable_error&.call if unrecoverable
        handle_thread_error(error)
      end

      # Where Solid Queue has none of its own.
      def wrap_in_app_executor = yield

      def handle_thread_error(error)
        ActiveSupport.error_reporter.report(error, handled: false, source: "evented.solid_queue")
      end
    end
  end
end
