# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"

class EMTickLoopTest < Minitest::Test
  include EMRunning

  class Boom < StandardError; end

  def setup
    @log = []
  end

  def test_it_calls_until_it_is_told_to_stop
    em do
      ticks = EM.tick_loop { (@log << @log.size).size == 3 ? :stop : nil }
      assert_instance_of EM::TickLoop, ticks
      refute_predicate ticks, :stopped?
      ticks.on_stop { EM.stop }
    end

    assert_equal [0, 1, 2], @log
  end

  def test_it_is_made_stopped_and_started_by_hand
    ticks = EM::TickLoop.new { @log << 1 }
    assert_predicate ticks, :stopped?
    em do
      assert_same ticks, ticks.start
      EM.add_timer(0.01) do
        ticks.stop
        EM.stop
      end
    end

    assert_predicate ticks, :stopped?
    refute_empty @log
  end

  def test_a_stop_from_outside_ends_it
    em do
      ticks = EM.tick_loop { @log << 1 }
      ticks.on_stop { @log << :stopped }
      ticks.on_stop { @log << :stopped_too }
      EM.add_timer(0.005) do
        ticks.stop
        EM.next_tick { EM.next_tick { EM.stop } }
      end
    end

    assert_equal %i[stopped stopped_too], @log.last(2)
  end

  def test_what_is_to_be_called_at_the_end_of_one_that_has_stopped_is_called_at_once
    EM::TickLoop.new { nil }.on_stop { @log << :stopped }

    assert_equal [:stopped], @log
  end

  def test_it_is_not_started_twice
    em do
      ticks = EM.tick_loop { nil }
      assert_equal "double start", assert_raises(ArgumentError) { ticks.start }.message
      EM.stop
    end
  end

  def test_it_can_be_started_again
    em do
      ticks = EM.tick_loop { (@log << 1) && :stop }
      ticks.on_stop do
        EM.next_tick do
          ticks.start
          ticks.on_stop { EM.stop }
        end
      end
    end

    assert_equal [1, 1], @log
  end

  def test_one_whose_call_raises_does_not_go_on
    EM.error_handler { |error| @log << error.message }
    em do
      ticks = EM.tick_loop { raise Boom, "it failed" }
      EM.add_timer(0.02) { EM.stop }
      EM.add_timer(0.01) { @log << ticks.stopped? }
    end

    assert_equal ["it failed", false], @log
  end

  def test_timers_and_other_ticks_go_on
    others = 0
    em do
      count = 0
      EM.tick_loop { count += 1 }
      EM.next_tick { others += 1 }
      EM.add_timer(0.01) { (others += 1) && EM.stop }
    end

    assert_equal 2, others
  end

  def test_another_thread_may_start_and_stop_it
    em do
      Thread.new do
        ticks = EM.tick_loop { @log << EM.reactor_thread? }
        Thread.pass until @log.size > 10
        ticks.stop
        EM.next_tick { EM.stop }
      end
    end

    assert_equal [true], @log.uniq
  end

  def test_a_method_can_be_called_and_something_has_to_be
    object = Object.new
    def object.step = :stop
    em { EM.tick_loop(object, :step).on_stop { EM.stop } }

    assert_raises(ArgumentError) { EM.tick_loop }
    assert_raises(ArgumentError) { EM::TickLoop.new }
  end
end
