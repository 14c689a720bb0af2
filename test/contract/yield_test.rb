# frozen_string_literal: true

require "helper"
require "support/scheduled"

class YieldTest < Minitest::Test
  def test_every_other_ready_fiber_runs_once
    scheduled do |scheduler|
      order = []
      fibers = %i[a b c].map { |name| parked { 2.times { scheduler.yield || (order << name) } } }
      wait_until { fibers.none?(&:alive?) }

      assert_equal %i[a b c a b c], order
    end
  end

  def test_a_fiber_that_yields_for_ever_lets_timers_and_descriptors_have_their_turn
    scheduled do |scheduler|
      over = false
      spinner = parked { scheduler.yield until over }
      reader, writer = IO.pipe
      got = nil
      parked { sleep(0.001) && writer.write("x") }
      parked { got = reader.readpartial(1) }
      wait_until { got }
      over = true
      wait_until { !spinner.alive? }
    end
  end

  def test_those_that_work_long_between_two_turns_do_not_keep_a_timer_waiting
    scheduled do |scheduler|
      turns = 0
      slept = false
      parked { sleep(0.001) && (slept = true) }
      workers = Array.new(2) { parked { work(0.001) && (turns += 1) && scheduler.yield until slept } }
      wait_until { workers.none?(&:alive?) }

      assert_operator turns, :<, 64
    end
  end

  def test_alone_it_comes_back_at_once
    scheduled { |scheduler| assert_nil scheduler.yield }
  end

  private

  def work(seconds)
    over = now + seconds
    nil until now > over
    true
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
