# frozen_string_literal: true

require "support/queue_contract"
require "support/ruby_process"

class SolidQueueTest < Minitest::Test
  include ActiveRecordTest

  def setup
    super
    require "active_job"
    require "evented/solid_queue"
    ActiveJob::Base.logger = Logger.new(nil)
    SolidQueue.define_tables
    # In this test run there is a stand-in for it.
    assert Evented::SolidQueue.install
    define_work unless defined?(QueueWork)
    [SolidQueue::Job, SolidQueue::ReadyExecution, SolidQueue::ClaimedExecution].each(&:delete_all)
    SolidQueue.shutdown_timeout = 5
    SolidQueue.errors.clear
    QueueWork.running = QueueWork.most = 0
  end

  def test_jobs_wait_at_the_same_time_and_each_is_done_once
    200.times { SolidQueue.enqueue("sleep", 0.05) }
    with_worker(fibers: 50) { |worker| assert_instance_of(Evented::SolidQueue::FiberPool, worker.pool) && all_done }

    assert_equal [1], SolidQueue::Job.distinct.pluck(:performed)
    assert_operator QueueWork.most, :<=, 50
    assert_operator QueueWork.most, :>, 25
    assert_empty SolidQueue.errors
  end

  def test_it_answers_the_contract
    pool = SolidQueue::Pool.build(type: :fiber, size: 3)

    assert_equal [3, 3, 3, true, :fiber, false],
                 [pool.size, pool.available_capacity, pool.idle_threads, pool.idle?, pool.type, pool.shutdown?]
    pool.shutdown
    assert_predicate pool, :shutdown?
    assert pool.wait_for_termination(0)
    assert_match(/shutting down/, assert_raises(RuntimeError) { pool.post(Object.new) }.message)
  end

  def test_more_than_it_has_room_for_is_refused
    gate = Thread::Queue.new
    pool = SolidQueue::Pool.build(type: :fiber, size: 1)
    execution = Struct.new(:gate) { def perform = gate.pop }.new(gate)
    pool.post(execution)

    assert_match(/at capacity/, assert_raises(RuntimeError) { pool.post(execution) }.message)
    gate << true
    pool.shutdown
    assert pool.wait_for_termination(5)
  end

  def test_a_job_that_fails_has_failed_and_the_others_go_on
    failing = SolidQueue.enqueue("fail")
    20.times { SolidQueue.enqueue("sleep", 0.01) }
    with_worker(fibers: 5) { all_done }

    assert_equal "ArgumentError", failing.reload.error
    assert_equal 20, SolidQueue::Job.where(finished: true).count
    assert_equal "broken", SolidQueue.errors.pop(timeout: 5).message
  end

  def test_jobs_that_are_not_done_when_the_worker_stops_go_back_and_are_done_by_another
    SolidQueue.shutdown_timeout = 0.05
    30.times { SolidQueue.enqueue("write_then_sleep", 60) }
    with_worker(fibers: 3) { wait_until { in_transaction == 3 } }

    assert_equal 30, SolidQueue::ReadyExecution.count, "a job was lost"
    assert_equal 0, SolidQueue::ClaimedExecution.count
    assert_equal 0, Entry.count, "a cancelled job's transaction was committed"
    assert_equal 0, in_transaction
    assert_equal 0, SolidQueue::Job.where.not(error: nil).count, "a cancelled job counts as failed"
    SolidQueue::Job.update_all(arguments: ["write_then_sleep", 0].to_json)
    SolidQueue.shutdown_timeout = 5
    with_worker(fibers: 10) { all_done }
    assert_equal 30, Entry.count
  end

  def test_a_job_that_takes_too_long_has_failed
    Evented::SolidQueue.job_timeout = 0.05
    job = SolidQueue.enqueue("write_then_sleep", 60)
    with_worker(fibers: 2) { wait_until { job.reload.error } }

    assert_equal "Evented::TimeoutError", job.error
    assert_equal 0, Entry.count
  ensure
    Evented::SolidQueue.job_timeout = nil
  end

  def test_what_can_not_be_recovered_from_stops_the_worker
    SolidQueue.enqueue("unrecoverable")
    worker = SolidQueue::Worker.new(fibers: 2)
    thread = Thread.new { worker.run }

    assert thread.join(10), "it goes on"
  end

  def test_two_processes_share_the_jobs
    100.times { SolidQueue.enqueue("sleep", 0.01) }
    # They are made before the fork, as a supervisor does it.
    workers = Array.new(2) { SolidQueue::Worker.new(fibers: 20) }
    ActiveRecord::Base.connection_handler.clear_all_connections!(:all)
    pids = workers.map { |worker| in_child(worker) }
    pids.each { |pid| assert_predicate Process.wait2(pid).last, :success? }

    assert_equal 100, SolidQueue::Job.where(finished: true, performed: 1).count
  end

  def test_killed_connections_cost_no_job_and_double_none
    50.times { SolidQueue.enqueue("sleep", 0.1) }
    with_worker(fibers: 20) do |worker|
      wait_until { QueueWork.running.positive? }
      outside do |connection|
        connection.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle' " \
                        "AND pid <> pg_backend_pid() AND backend_type = 'client backend'")
        # Not through the pool, whose connections are dead.
        wait_until(deadline: 20) do
          connection.exec("SELECT count(*) FROM solid_ready").getvalue(0,
                                                                       0) == "0" && worker.pool.available_capacity == 20
        end
      end
    end
    ActiveRecord::Base.connection_handler.clear_all_connections!(:all)

    # Some have failed, some could not say that they have not, and went back.
    settled = SolidQueue::Job.where(finished: true).or(SolidQueue::Job.where.not(error: nil)).pluck(:id)
    assert_equal SolidQueue::Job.ids.sort, (settled | SolidQueue::ReadyExecution.pluck(:job_id)).sort
    assert_operator SolidQueue::Job.maximum(:performed), :<=, 1
  end

  def test_a_job_that_blocks_the_thread_is_reported
    stalls = Thread::Queue.new
    subscription = ActiveSupport::Notifications.subscribe("stall.evented") { |*, payload| stalls << payload }
    Evented::Rails::Stalls.threshold = 0.1
    SolidQueue.enqueue("block", 1.5)
    with_worker(fibers: 2) { all_done }

    assert_equal "solid_queue-fibers", stalls.pop(timeout: 5)[:thread].name
  ensure
    ActiveSupport::Notifications.unsubscribe(subscription)
    Evented::Rails::Stalls.threshold = 1
  end

  def test_settings_that_make_no_sense_are_refused
    assert_match(/fibers: in config.* at least 1, not 0/,
                 assert_raises(ArgumentError) { workers_of(fibers: 0) }.message)
    assert_match(/either fibers: or threads:/,
                 assert_raises(ArgumentError) { workers_of(fibers: 5, threads: 3) }.message)
    assert_raises(TypeError) { workers_of(fibers: "many") }
    assert_equal 1, workers_of(fibers: 5).size
  end

  private

  def workers_of(**options) = SolidQueue::Configuration.new([options]).workers

  def with_worker(**)
    worker = SolidQueue::Worker.new(**)
    thread = Thread.new { worker.run }
    yield worker
  ensure
    worker.stop
    assert thread.join(20), "the worker did not stop"
  end

  def all_done
    wait_until(deadline: 20) { !SolidQueue::Job.exists?(finished: false, error: nil) }
  end

  def in_child(worker)
    fork do
      thread = Thread.new { worker.run }
      wait_until(deadline: 20) { !SolidQueue::Job.exists?(finished: false) }
      worker.stop
      exit!(thread.join(10) ? 0 : 1)
    end
  end

  def define_work
    Object.const_set(:QueueWork, Class.new(ActiveJob::Base) do
      singleton_class.attr_accessor :running, :most

      def perform(id, what, seconds = nil)
        SolidQueue::Job.where(id: id).update_all("performed = performed + 1")
        QueueWork.most = [QueueWork.most, QueueWork.running += 1].max
        case what
        when "sleep" then sleep seconds
        when "fail" then raise ArgumentError, "broken"
        when "unrecoverable" then raise SolidQueue::Processes::UnrecoverableError
        when "block" then Fiber.blocking { sleep seconds }
        when "write_then_sleep" then write_then_sleep(seconds)
        end
      ensure
        QueueWork.running -= 1
      end

      def write_then_sleep(seconds)
        Entry.transaction do
          Entry.create!(name: "written by a job")
          sleep seconds unless seconds.zero?
        end
      end
    end)
  end
end

# Solid Queue before 1.6 knows nothing of fibers.
class SolidQueueBefore16Test < Minitest::Test
  include RubyProcess

  def setup = ActiveRecordTest.start

  def test_a_worker_with_fibers_gets_a_pool_of_them
    skip ActiveRecordTest.missing if ActiveRecordTest.missing

    assert_equal "Evented::SolidQueue::FiberPool 5\nSolidQueue::Pool 3\nEvented::SolidQueue::FiberPool is shut down\n",
                 output_of_ruby(<<~RUBY)
                   module SolidQueue
                     class Pool
                       attr_reader :size
                       def initialize(size, on_idle: nil) = @size = size
                     end
                     class Configuration
                       def workers_options = []
                     end
                     class ClaimedExecution
                       def failed_with(error) = nil
                     end
                     class Worker
                       attr_reader :pool
                       def initialize(**options) = @pool = Pool.new(options[:threads], on_idle: -> { wake_up })
                       def wake_up = puts("woken up")
                     end
                   end
                   require "evented/solid_queue"
                   Evented::SolidQueue.install
                   [{ threads: 3, fibers: 5 }, { threads: 3 }].each do |options|
                     pool = SolidQueue::Worker.new(**options).pool
                     puts "\#{pool.class} \#{pool.size}"
                   end
                   pool = SolidQueue::Worker.new(fibers: 5).pool
                   pool.shutdown
                   puts "\#{pool.class} is shut down" if pool.wait_for_termination(1)
                 RUBY
  end
end
