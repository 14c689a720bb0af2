# frozen_string_literal: true

require "support/active_record"

class StallsTest < Minitest::Test
  include ActiveRecordTest

  def setup
    super
    @stalls = Thread::Queue.new
    @subscription = ActiveSupport::Notifications.subscribe("stall.evented") { |*, payload| @stalls << payload }
    Evented::Rails::Stalls.threshold = 0.1
  end

  def teardown
    ActiveSupport::Notifications.unsubscribe(@subscription)
    Evented::Rails::Stalls.threshold = 1 if defined?(Evented::Rails::Stalls)
    super
  end

  def test_a_task_that_keeps_the_thread_busy_is_reported_while_it_does
    in_reactor do
      wait_until { @stalls.empty? && sleep(0.15) }
      busy_until { !@stalls.empty? }
    end
    stall = @stalls.pop

    assert_operator stall[:duration], :>, 0.1
    assert_same Thread.current, stall[:thread]
    assert_includes stall[:backtrace].join, "busy_until"
  end

  def test_one_that_blocks_the_thread_is_reported
    in_reactor do
      sleep 0.15
      Fiber.blocking { @stalls.pop(timeout: 5) || flunk("nothing was reported") }
    end
  end

  def test_a_long_wait_is_no_stall
    in_reactor { sleep 0.4 }

    assert_empty @stalls
  end

  def test_a_deadlock_is_found_all_the_same
    assert_match(/Evented::Deadlock/, outcome_of_deadlock)
  end

  private

  def busy_until
    limit = now + 5
    nil until yield || now > limit
  end

  # In a process without other threads.
  def outcome_of_deadlock
    require "support/ruby_process"
    extend RubyProcess

    _, errors, = ruby(<<~RUBY, env: { "EVENTED_DRIVER" => Evented.driver.to_s })
      require "evented/rails"
      ActiveSupport::IsolatedExecutionState.isolation_level = :fiber
      Evented::Rails.setup(stall_after: 0.05)
      Evented { Thread::Queue.new.pop }
    RUBY
    errors
  end
end
