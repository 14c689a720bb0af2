# frozen_string_literal: true

require "support/active_record"

# Who calls a pool of Solid Queue, and what it is given: written after Solid Queue's documented interface (1.6), because
# the gem is in no Debian package. It stands in for Worker, ClaimedExecution, Configuration and Pool, with the tables on
# a real PostgreSQL, and with what matters here: claiming with SKIP LOCKED, capacity, wake-ups, shutdown, releasing.
module SolidQueue
  class << self
    attr_accessor :shutdown_timeout, :errors
  end
  self.errors = Thread::Queue.new

  # What wraps a job, and whom errors are told.
  module AppExecutor
    def wrap_in_app_executor = yield

    def handle_thread_error(error) = SolidQueue.errors << error
  end

  # How a worker gets its pool.
  class Pool
    def self.build(type:, size:, shard: nil, on_idle: nil, on_unrecoverable_error: nil)
      SolidQueue.const_get("#{type.to_s.camelize}Pool")
                .new(size, shard: shard, on_idle: on_idle, on_unrecoverable_error: on_unrecoverable_error)
    end
  end

  # What comes with Solid Queue.
  class FiberPool
    def initialize(*, **) = raise("this is the pool that is to be replaced")
  end

  class Configuration
    def initialize(workers) = @workers = workers

    def workers = workers_options.map { |options| Worker.new(**options) }

    private

    def workers_options = @workers
  end

  module Processes
    class UnrecoverableError < StandardError; end
  end

  # Claims jobs as long as its pool has room, and gives back those that are not done when it stops.
  class Worker
    attr_reader :pool

    def initialize(fibers:, polling_interval: 0.02, **)
      @polling_interval = polling_interval
      @wake_up = Thread::Queue.new
      @stopped = false
      @pool = Pool.build(type: :fiber, size: fibers, on_idle: -> { @wake_up << true },
                         on_unrecoverable_error: -> { stop })
    end

    def run
      poll until @stopped
      @pool.shutdown
      @pool.wait_for_termination(SolidQueue.shutdown_timeout).tap { ClaimedExecution.release_all(name) }
    ensure
      ActiveRecord::Base.connection_handler.clear_active_connections!
    end

    def stop
      @stopped = true
      @wake_up << true
    end

    private

    def poll
      ClaimedExecution.claim(@pool.available_capacity, name).each { |execution| @pool.post(execution) }
      @wake_up.pop(timeout: @pool.idle? ? @polling_interval : 600)
      @wake_up.clear
    rescue ActiveRecord::ActiveRecordError => e
      SolidQueue.errors << e
    end

    def name = "#{Process.pid}-#{object_id}"
  end

  class << self
    def define_tables
      return if defined?(Job)

      ActiveRecord::Schema.define do
        create_table(:solid_jobs) do |table|
          table.text :arguments
          table.text :error
          table.integer :performed, default: 0
          table.boolean :finished, default: false
        end
        create_table(:solid_ready) { |table| table.bigint :job_id }
        create_table(:solid_claimed) { |table| [table.bigint(:job_id), table.string(:process)] }
      end
      const_set(:Job, Class.new(ActiveRecord::Base) { self.table_name = "solid_jobs" })
      const_set(:ReadyExecution, Class.new(ActiveRecord::Base) { self.table_name = "solid_ready" })
      const_set(:ClaimedExecution, Class.new(ActiveRecord::Base) do
        self.table_name = "solid_claimed"
        belongs_to :job, class_name: "SolidQueue::Job"
        include Claimed
        extend Claiming
      end)
      ActiveRecord::Base.connection_handler.clear_active_connections!(:all)
    end

    def enqueue(*arguments)
      job = Job.create!(arguments: arguments.to_json)
      ReadyExecution.create!(job_id: job.id)
      job
    end
  end

  module Claiming
    def claim(limit, process)
      return [] if limit.zero?

      transaction do
        ready = ReadyExecution.order(:id).limit(limit).lock("FOR UPDATE SKIP LOCKED").to_a
        ReadyExecution.where(id: ready.map(&:id)).delete_all
        ready.map { |execution| create!(job_id: execution.job_id, process: process) }
      end
    end

    def release_all(process) = where(process: process).find_each(&:release)
  end

  module Claimed
    Result = Struct.new(:error)

    def perform
      result = execute
      return finished unless result.error

      failed_with(result.error)
      raise result.error
    end

    def execute
      ActiveJob::Base.execute(ActiveJobData.of(job))
      Result.new
    rescue Exception => e
      Result.new(e)
    end

    def release
      transaction do
        ReadyExecution.create!(job_id: job_id)
        destroy!
      end
    end

    def failed_with(error)
      transaction do
        job.update!(error: error.class.name)
        destroy!
      end
    end

    def finished
      transaction do
        job.lock!
        job.update!(finished: true)
        destroy!
      end
    end
  end

  # What Active Job wants to have of a job.
  module ActiveJobData
    def self.of(job)
      { "job_class" => "QueueWork", "job_id" => job.id.to_s, "queue_name" => "default", "executions" => 0,
        "arguments" => [job.id, *JSON.parse(job.arguments)], "exception_executions" => {}, "locale" => "en" }
    end
  end
end
