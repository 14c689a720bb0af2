# frozen_string_literal: true

require "support/active_record"
require "support/rails_process"

# Jobs in fibers of this process.
class EventedAdapterTest < Minitest::Test
  include ActiveRecordTest

  def setup
    super
    require "active_job"
    require "active_job/queue_adapters/evented_adapter"
    ActiveJob::Base.logger = Logger.new(nil)
    define_jobs unless defined?(Work)
    @adapter = ActiveJob::QueueAdapters::EventedAdapter.new(size: 50)
    Work.queue_adapter = @adapter
    Work.done = Thread::Queue.new
  end

  def teardown
    assert @adapter.shutdown(timeout: 10), "jobs were left over" if @adapter
    super
  end

  def test_jobs_wait_at_the_same_time
    started = now
    50.times { |n| Work.perform_later("query", n) }
    results = Array.new(50) { Work.done.pop(timeout: 10) }

    assert_equal (0...50).to_a, results.sort
    assert_operator now - started, :<, 3, "one by one they take five seconds"
  end

  def test_a_job_that_fails_is_reported_and_the_others_go_on
    reports = Thread::Queue.new
    subscriber = Object.new
    subscriber.define_singleton_method(:report) { |error, **options| reports << [error.message, options[:source]] }
    ActiveSupport.error_reporter.subscribe(subscriber)
    Work.perform_later("fail", 1)
    Work.perform_later("query", 2)

    assert_equal ["broken", "evented.active_job"], reports.pop(timeout: 5)
    assert_equal 2, Work.done.pop(timeout: 5)
  ensure
    ActiveSupport.error_reporter.unsubscribe(subscriber)
  end

  def test_a_job_whose_time_has_not_come_waits_for_it
    started = Time.now
    Work.set(wait: 0.2).perform_later("say", 3)

    assert_equal 3, Work.done.pop(timeout: 5)
    assert_operator Time.now - started, :>=, 0.2
  end

  def test_it_can_be_used_from_inside_of_a_reactor
    in_reactor do
      Evented { Work.perform_later("say", 4) }.wait
      assert_equal 4, Work.done.pop(timeout: 5)
    end
  end

  def test_shutdown_does_what_is_left_and_takes_no_more
    20.times { |n| Work.perform_later("query", n) }
    assert @adapter.shutdown
    assert_predicate @adapter, :stopping?

    assert_equal 20, Work.done.size
    assert_raises(Evented::FiberPool::Rejected) { Work.perform_later("say", 1) }
  end

  def test_shutdown_cancels_what_is_not_done_in_time
    Work.perform_later("hang", 1)
    wait_until { Entry.exists?(name: "hanging") || in_transaction == 1 }
    refute @adapter.shutdown(timeout: 0.05)
    assert @adapter.shutdown(timeout: 5)

    assert_equal "cleaned up", Work.done.pop(timeout: 5)
    assert_equal 0, in_transaction
    assert_equal 0, Entry.count
  end

  private

  def define_jobs
    Object.const_set(:Work, Class.new(ActiveJob::Base) do
      singleton_class.attr_accessor :done

      def perform(what, number)
        case what
        when "query" then Entry.with_connection { |connection| connection.select_value("SELECT 1 FROM pg_sleep(0.1)") }
        when "fail" then raise "broken"
        when "hang" then return hang
        end
        Work.done << number
      end

      def hang
        Entry.transaction do
          Entry.create!(name: "hanging")
          sleep
        end
      ensure
        Work.done << "cleaned up"
      end
    end)
  end
end

class EventedAdapterInAnApplicationTest < Minitest::Test
  include RailsProcess

  def test_it_is_chosen_by_name_and_jobs_are_wrapped
    assert_equal "ActiveJob::QueueAdapters::EventedAdapter\nhello from evented-jobs true\n",
                 rails("config.active_job.queue_adapter = :evented", <<~RUBY)
                   puts ActiveJob::Base.queue_adapter.class
                   done = Thread::Queue.new
                   Hello = Class.new(ActiveJob::Base) do
                     define_method(:perform) { |name| done << [name, Thread.current.name, App.executor.active?] }
                   end
                   Hello.perform_later("hello")
                   puts format("%s from %s %s", *done.pop)
                 RUBY
  end
end
