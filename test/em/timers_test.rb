# frozen_string_literal: true

require "support/event_machine"

# Timers.
class EMTimersTest < Minitest::Test
  def setup
    @log = []
  end

  def test_they_are_due_in_order_and_those_of_one_time_as_they_were_added
    em do
      EM.add_timer(0.03) { EM.stop if @log << :last }
      EM.add_timer(0.01) { @log << :first }
      3.times { |number| EM.add_timer(0.02) { @log << number } }
    end

    assert_equal [:first, 0, 1, 2, :last], @log
  end

  def test_none_is_early
    em do
      [0.01, 0.0155, 1 / 30r].each do |wanted|
        start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
        EM.add_timer(wanted) { @log << (Process.clock_gettime(Process::CLOCK_MONOTONIC) - start - wanted.to_f) }
      end
      EM.add_timer(0.08) { EM.stop }
    end

    assert_equal 3, @log.size
    # They count in whole milliseconds.
    assert_operator @log.min, :>=, -0.001
    assert_operator @log.max, :<, 1
  end

  def test_add_timer_returns_a_signature_and_nothing_without_code
    em do
      @log << EM.add_timer(1) { nil } << EM.add_timer(1)
      EM.stop
    end

    assert_kind_of Integer, @log.first
    assert_nil @log.last
  end

  def test_any_callable_does
    em do
      EM.add_timer(0, -> { @log << :proc })
      EM.add_timer("0.005", @log.method(:clear))
      EM.add_timer(0.01) { EM.stop if @log << :block }
    end

    assert_equal [:block], @log
  end

  def test_a_cancelled_timer_is_not_called
    em do
      signature = EM.add_timer(0) { @log << :never }
      EM.cancel_timer(signature)
      EM.add_timer(0.01) { EM.stop }
    end

    assert_empty @log
  end

  def test_a_timer_can_cancel_another_that_is_due_as_well
    em do
      other = nil
      EM.add_timer(0.01) { EM.cancel_timer(other) }
      other = EM.add_timer(0.01) { @log << :never }
      EM.add_timer(0.02) { EM.stop }
    end

    assert_empty @log
  end

  def test_to_cancel_what_is_no_timer_does_nothing
    em do
      @log << EM.cancel_timer(nil) << EM.cancel_timer(1 << 40)
      EM.stop
    end

    assert_equal [nil, nil], @log
  end

  def test_a_timer_that_was_called_can_be_cancelled_without_effect
    em do
      signature = EM.add_timer(0) do
        EM.cancel_timer(signature)
        EM.next_tick { EM.cancel_timer(signature) }
        EM.next_tick { EM.stop }
      end
    end
  end

  def test_periodic_timers_are_called_until_they_are_cancelled
    em do
      timer = EM.add_periodic_timer(0.005) do
        @log << :called
        EM.cancel_timer(timer) if @log.size == 3
      end
      assert_instance_of EM::PeriodicTimer, timer
      EM.add_timer(0.06) { EM.stop }
    end

    assert_equal 3, @log.size
  end

  def test_the_interval_of_a_periodic_timer_can_be_changed
    em do
      timer = EM::PeriodicTimer.new(0.005) do
        @log << timer.interval
        timer.interval = 60
      end
      EM.add_timer(0.05) { EM.stop }
    end

    assert_equal [0.005], @log
  end

  def test_a_periodic_timer_takes_any_callable_and_can_be_cancelled_from_outside
    em do
      timer = EM.add_periodic_timer(0.005, -> { @log << :called })
      EM.add_timer(0.02) do
        timer.cancel
        @log.clear
      end
      EM.add_timer(0.05) { EM.stop }
    end

    assert_empty @log
  end

  # It may be late, but what it has missed it does not make up for.
  def test_a_periodic_timer_that_was_kept_waiting_is_called_once
    em do
      EM.add_periodic_timer(0.02) { @log << :called }
      EM.add_timer(0.001) do
        busy_until = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 0.11
        nil until Process.clock_gettime(Process::CLOCK_MONOTONIC) > busy_until
        EM.add_timer(0.001) { EM.stop }
      end
    end

    assert_operator @log.size, :<=, 2
  end

  def test_a_timer_object_is_called_unless_it_is_cancelled
    em do
      EM::Timer.new(0.001) { @log << :block }
      EM::Timer.new(0.002, -> { @log << :callable })
      EM::Timer.new(0.003) { @log << :never }.cancel
      EM.add_timer(0.02) { EM.stop }
    end

    assert_equal %i[block callable], @log
  end

  def test_an_exception_of_a_timer_leaves_run
    assert_raises(IOError) { em { EM.add_timer(0) { raise IOError } } }
  end

  def test_the_count_contains_the_one_that_is_being_called
    EM.run do
      EM.add_timer(60) { nil }
      EM.add_timer(0) do
        @log << EM.get_timer_count
        EM.next_tick { EM.stop if @log << EM.get_timer_count }
      end
    end

    assert_equal [2, 1], @log
  end

  def test_cancelled_ones_are_gone_at_once
    not_of_eventmachine "keeps and counts them until they are due"
    EM.run do
      1000.times { EM.cancel_timer(EM.add_timer(60) { nil }) }
      @log << EM.get_timer_count << EM.instance_eval { @timers.size }
      EM.stop
    end

    assert_operator @log.max, :<=, 1
  end

  def test_their_number_can_be_limited_but_not_while_it_runs
    before = EM.get_max_timers
    EM.set_max_timers(200)
    em do
      error = assert_raises(RuntimeError) { 300.times { EM.add_timer(60) { nil } } }
      @log << EM.get_max_timers << error.message
      @log << assert_raises(RuntimeError) { EM.set_max_timers(1000) }.message
      EM.stop
    end

    assert_equal [200, "ran out of timers; use #set_max_timers to increase limit",
                  "eventmachine already initialized: evma_set_max_timer_count"], @log
  ensure
    EM.set_max_timers(before)
  end

  def test_the_limit_is_a_hundred_at_least
    before = EM.get_max_timers
    EM.set_max_timers(5)

    assert_equal 100, EM.get_max_timers
  ensure
    EM.set_max_timers(before)
  end

  def test_the_limit_that_is_told_is_a_hundred_thousand
    assert_equal "100000\n", output_of_em("puts EM.get_max_timers")
  end

  def test_there_is_no_limit_unless_one_is_set
    not_of_eventmachine "has room for 100,000"
    assert_equal "true\n", output_of_em(<<~RUBY)
      EM.run { 100_002.times { EM.add_timer(60) { } }; puts EM.get_timer_count > 100_000; EM.stop }
    RUBY
  end

  def test_periodic_timers_do_not_drift
    not_of_eventmachine "arms them again after their callback"

    # With the callbacks' time added it would be 0.29 s; a busy machine may make it longer now and then.
    assert_in_delta 0.2, Array.new(3) { time_of_ten_calls(EM.method(:add_periodic_timer)) }.min, 0.06
  end

  def test_periodic_timers_drift_if_told_to
    not_of_eventmachine "has no choice"

    assert_operator time_of_ten_calls(->(interval, &code) { EM.add_periodic_timer(interval, drift: true, &code) }),
                    :>=, 0.28
  end

  private

  # Seconds that ten calls at an interval of 20 ms take when each keeps the reactor busy for 10 ms.
  def time_of_ten_calls(add_timer)
    calls = 0
    seconds do
      em do
        add_timer.call(0.02) do
          busy_until = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 0.01
          nil until Process.clock_gettime(Process::CLOCK_MONOTONIC) > busy_until
          EM.stop if (calls += 1) == 10
        end
      end
    end
  end
end
