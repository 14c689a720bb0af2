# frozen_string_literal: true

require_relative "rails"

module Evented
  # Workers of Solid Queue that are configured by `fibers:` in `config/queue.yml` do their jobs in fibers of evented:
  #
  # ```yaml
  # workers:
  #   - queues: "llm"
  #     fibers: 50
  #   - queues: "*"
  #     threads: 3
  #     processes: 2
  # ```
  #
  # Solid Queue from 1.6 on knows `fibers:`, on the gem async, and gets {FiberPool} instead of its own; in earlier ones
  # its workers learn it. The Railtie does that unless `config.evented.solid_queue` is false.
  module SolidQueue
    autoload :FiberPool, "#{__dir__}/solid_queue/fiber_pool"

    @job_timeout = nil

    # Checks a worker's settings as they stand in the file.
    #
    # @private
    module Configuration
      private

      def workers_options
        super.each { |options| SolidQueue.check(options) }
      end
    end

    # Before 1.6.
    #
    # @private
    module Worker
      # @private
      def initialize(fibers: nil, **)
        # All that it does with the number of threads is to make a pool, which starts none before it is used.
        fibers ? super(**, threads: 1) : super(**)
        @pool = FiberPool.new(fibers, on_idle: -> { wake_up }) if fibers
      end
    end

    # A job that is cancelled because its worker stops has not failed: another worker takes it up.
    #
    # @private
    module ClaimedExecution
      # @private
      def failed_with(error)
        case error
        when Cancel then Evented.shield { release }
        when Expiry then super(expired(error))
        else super
        end
      end

      private

      # What ends a job whose time is up passes all of its rescue clauses, and is turned into an error further out.
      def expired(expiry)
        error = TimeoutError.new("the job took longer than #{SolidQueue.job_timeout} s")
        error.set_backtrace(expiry.backtrace)
        error
      end
    end
    private_constant :Configuration, :Worker, :ClaimedExecution

    class << self
      # @return [Numeric, nil] seconds after which a job is ended, and has failed
      # @raise [TypeError, ArgumentError] if it is set to what is no number, or negative
      attr_reader :job_timeout

      # (see #job_timeout)
      def job_timeout=(seconds)
        @job_timeout = Arguments.timeout(seconds)
      end

      # Has Solid Queue use {FiberPool}. Once it has been loaded, and before its workers are made.
      #
      # @return [Boolean] whether Solid Queue is there
      # @threadsafe no
      def install
        return false unless defined?(::SolidQueue::Worker)

        prepend_to(::SolidQueue::Configuration, Configuration)
        prepend_to(::SolidQueue::ClaimedExecution, ClaimedExecution)
        if ::SolidQueue::Pool.respond_to?(:build)
          replace_pool
        else
          prepend_to(::SolidQueue::Worker, Worker)
        end
        true
      end

      # @param options [Hash{Symbol => Object}] a worker's, as they stand in the file
      # @return [void]
      # @raise [ArgumentError] if they make no sense
      # @threadsafe yes
      def check(options)
        return unless options.key?(:fibers)

        if options.key?(:threads)
          raise ArgumentError, "a worker in config/queue.yml has either fibers: or threads:, and #{options.inspect} " \
                               "has both: make two workers of it"
        end
        Arguments.integer(options[:fibers], "fibers: in config/queue.yml")
      end

      private

      def prepend_to(target, mend)
        target.send(:prepend, mend) unless target < mend
      end

      def replace_pool
        return if ::SolidQueue.const_defined?(:FiberPool) && ::SolidQueue::FiberPool.equal?(FiberPool)

        ::SolidQueue.send(:remove_const, :FiberPool) if ::SolidQueue.const_defined?(:FiberPool, false)
        ::SolidQueue.const_set(:FiberPool, FiberPool)
      end
    end
  end
end
