# frozen_string_literal: true

require "helper"
require "socket"
require "support/scheduled"

# `fiber`: Fiber.schedule.
class FiberTest < Minitest::Test
  def test_a_new_fiber_runs_at_once_until_it_waits
    scheduled do
      order = []
      fiber = Fiber.schedule do
        order << :started
        sleep 0
        order << :went_on
      end
      order << :returned
      assert_instance_of Fiber, fiber
      wait_until { !fiber.alive? }

      assert_equal %i[started returned went_on], order
    end
  end

  def test_it_is_a_fiber_that_does_not_block
    scheduled do
      blocking = nil
      fiber = Fiber.schedule { blocking = Fiber.current.blocking? }

      assert_same false, blocking
      refute_predicate fiber, :alive?
    end
  end

  def test_from_the_fiber_that_runs_the_loop
    order = []
    with_scheduler do |scheduler|
      Fiber.schedule { (order << 1) && sleep(0) && (order << 4) }
      order << 2
      Fiber.schedule { (order << 3) && sleep(0) && (order << 5) }
      scheduler.run
    end

    assert_equal [1, 2, 3, 4, 5], order
  end

  def test_fibers_that_start_fibers
    order = []
    scheduled do
      Fiber.schedule do
        order << 1
        Fiber.schedule { (order << 2) && sleep(0) && (order << 5) }
        order << 3
      end
      order << 4
    end

    assert_equal [1, 2, 3, 4, 5], order
  end

  def test_storage_is_inherited_or_given
    scheduled do
      Fiber[:request] = 1
      seen = []
      Fiber.schedule { seen << Fiber[:request] }
      Fiber.schedule(storage: { request: 2 }) { seen << Fiber[:request] }
      Fiber.schedule(storage: nil) { seen << Fiber[:request] }

      assert_equal [1, 2, nil], seen
    end
  end

  def test_what_a_fiber_raises_leaves_run_and_the_others_go_on_with_the_next
    with_scheduler do |scheduler|
      finished = false
      Fiber.schedule { sleep(0) && raise("from the fiber") }
      Fiber.schedule { sleep(0.001) && (finished = true) }

      assert_equal "from the fiber", assert_raises(RuntimeError) { scheduler.run }.message
      refute finished
      scheduler.run
      assert finished
    end
  end

  def test_what_a_fiber_raises_before_it_first_waits_leaves_run_too
    with_scheduler do |scheduler|
      went_on = false
      Fiber.schedule do
        Fiber.schedule { raise "at once" }
        went_on = true
      end
    rescue RuntimeError => e
      assert_equal "at once", e.message
      scheduler.run
      assert went_on
    end
  end

  def test_a_loop_that_starts_fibers_does_not_starve_timers_and_descriptors
    scheduled do
      over = false
      reader, writer = IO.pipe
      got = nil
      Fiber.schedule { sleep(0.001) && writer.write("x") }
      Fiber.schedule { (got = reader.readpartial(1)) && (over = true) }
      spawned = 0
      until over
        Fiber.schedule { sleep 0 }
        spawned += 1
        flunk "starved by #{spawned} fibers" if spawned > 10_000
      end

      assert_equal "x", got
    end
  end

  def test_fibers_that_start_their_successors_do_not_starve_timers
    scheduled do
      over = false
      successor = -> { Fiber.schedule { sleep(0) && successor.call } unless over }
      successor.call
      sleep 0.001
      over = true
    end
  end

  # I-11, by counting turns and not by time: whoever always finds a message does not keep the others waiting.
  def test_a_chatty_peer_does_not_starve_the_others
    [IO.pipe, UNIXSocket.pair].each do |reader, writer|
      messages = fill(writer) / 64
      ticks = 0
      scheduled do
        over = false
        Fiber.schedule { (ticks += 1) && sleep(0) until over }
        messages.times { reader.readpartial(64) }
        over = true
      end

      assert_operator messages, :>=, 200
      assert_operator ticks, :>=, messages / 100, "the ticker had #{ticks} turns while #{messages} messages were read"
    end
  end

  def test_a_peer_that_takes_everything_does_not_starve_the_others
    ticks = 0
    scheduled do
      over = false
      Fiber.schedule { (ticks += 1) && sleep(0) until over }
      File.open(File::NULL, "w") { |file| 1000.times { file.syswrite("x") } }
      over = true
    end

    assert_operator ticks, :>=, 10
  end

  def test_ten_thousand_fibers
    count = 0
    scheduled { 10_000.times { Fiber.schedule { sleep(0.01) && (count += 1) } } }

    assert_equal 10_000, count
  end

  def test_bad_input_is_refused
    in_company do
      assert_raises(ArgumentError) { Fiber.schedule }
      assert_raises(ArgumentError) { Fiber.schedule(unknown: 1) { :never } }
      assert_raises(TypeError) { Fiber.schedule(storage: 1) { :never } }
    end
  end

  private

  # Fills what the kernel holds between two ends.
  def fill(writer)
    total = 0
    while (count = writer.write_nonblock("x" * 64, exception: false)).is_a?(Integer)
      total += count
    end
    total
  end
end
