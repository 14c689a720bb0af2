# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"

class EMTimerTest < Minitest::Test
  include EMRunning

  class Boom < StandardError; end

  def setup
    @log = []
  end

  def test_it_fires_once
    em do
      EM::Timer.new(0.01) { @log << :fired }
      EM::Timer.new(0.02, -> { @log << :callable })
      EM.add_timer(0.05) { EM.stop }
    end

    assert_equal %i[fired callable], @log
  end

  def test_it_can_be_taken_back
    em do
      timer = EM::Timer.new(0.01) { @log << :fired }
      timer.cancel
      EM.cancel_timer(EM::Timer.new(0.01) { @log << :fired })
      EM.add_timer(0.03) { EM.stop }
    end

    assert_empty @log
  end

  def test_one_that_has_fired_can_be_taken_back_too
    em do
      timer = EM::Timer.new(0.001) { (@log << timer.cancel.nil?) && EM.stop }
    end

    assert_equal 1, @log.size
  end

  def test_without_a_reactor_there_are_no_timers
    message = "eventmachine not initialized: evma_install_oneshot_timer"
    assert_equal message, assert_raises(RuntimeError) { EM::Timer.new(1) { nil } }.message
    assert_equal message, assert_raises(RuntimeError) { EM::PeriodicTimer.new(1) { nil } }.message
  end

  def test_a_periodic_one_fires_until_it_is_taken_back
    em do
      timer = EM::PeriodicTimer.new(0.002) do
        @log << @log.size
        timer.cancel if @log.size == 3
      end
      EM.add_timer(0.05) { EM.stop }
    end

    assert_equal [0, 1, 2], @log
  end

  def test_a_periodic_one_can_be_taken_back_from_outside
    em do
      timer = EM.add_periodic_timer(0.002) { @log << :fired }
      assert_instance_of EM::PeriodicTimer, timer
      EM.cancel_timer(timer)
      EM.add_timer(0.02) { EM.stop }
    end

    assert_empty @log
  end

  def test_the_interval_can_be_changed
    em do
      timer = EM.add_periodic_timer(0.001) do
        @log << timer.interval
        timer.interval = 0.002
        EM.stop if @log.size == 3
      end
    end

    assert_equal [0.001, 0.002, 0.002], @log
  end

  def test_the_interval_may_be_what_can_become_a_number
    em do
      EM.add_periodic_timer("0.001", -> { (@log << :fired) && EM.stop })
    end

    assert_equal [:fired], @log
  end

  def test_no_interval_is_every_pass
    em do
      EM.add_periodic_timer(0) { (@log << :fired) && (EM.stop if @log.size == 100) }
    end

    assert_equal 100, @log.size
  end

  def test_one_that_raises_does_not_fire_again
    EM.error_handler { |error| @log << error.message }
    em do
      EM.add_periodic_timer(0.001) { raise Boom, "it failed" }
      EM.add_timer(0.03) { EM.stop }
    end

    assert_equal ["it failed"], @log
  end

  def test_it_does_not_drift
    assert_equal [10, 20, 30, 40, 50], times(5) { sleep(3) }
  end

  def test_calls_whose_time_has_passed_are_left_out
    assert_equal [10, 40, 50, 60], times(4) { |n| sleep(25) if n == 1 }
  end

  def test_it_drifts_on_demand
    assert_equal [10, 23, 36, 49], times(4, drift: true) { sleep(3) }
  end

  def test_it_is_never_early
    skip "EventMachine drops what is less than a millisecond" if ENV["EM_ORACLE"]
    begun = now
    em do
      EM.add_periodic_timer(0.0047) do
        @log << (now - begun)
        EM.stop if @log.size == 20
      end
    end

    @log.each_with_index { |time, index| assert_operator time, :>=, (0.0047 * (index + 1)) - 0.000_1 }
  end

  def test_virtual_time_is_kept
    skip "EventMachine has no virtual time" if ENV["EM_ORACLE"]
    Evented::Testing.virtual_time do
      EM.run { EM.add_periodic_timer(3600) { (@log << :hour) && (EM.stop if @log.size == 24) } }
    end

    assert_equal 24, @log.size
  end

  private

  # Seconds, in virtual time, at which a timer of ten seconds fires.
  def times(count, **options)
    skip "EventMachine has no virtual time, and always drifts" if ENV["EM_ORACLE"]
    Evented::Testing.virtual_time do
      begun = Evented.clock
      EM.run do
        EM.add_periodic_timer(10, **options) do
          @log << (Evented.clock - begun).round
          EM.stop if @log.size == count
          yield @log.size
        end
      end
    end
    @log
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
