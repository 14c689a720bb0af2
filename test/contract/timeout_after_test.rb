# frozen_string_literal: true

require "helper"
require "socket"
require "support/scheduled"
require "timeout"

class TimeoutAfterTest < Minitest::Test
  class Late < StandardError; end

  def test_the_value_of_a_block_that_is_in_time
    scheduled { assert_equal :in_time, Timeout.timeout(60) { sleep(0) && :in_time } }
  end

  def test_a_block_that_waits_too_long_is_interrupted
    in_company do
      assert_raises(Timeout::Error) { Timeout.timeout(0.001) { sleep } }
      assert_raises(Timeout::Error) { Timeout.timeout(0.001) { Queue.new.pop } }
      # The other ends are kept: when they are collected the reads are at their end.
      reader, _writer = IO.pipe
      one, _other = UNIXSocket.pair
      assert_raises(Timeout::Error) { Timeout.timeout(0.001) { reader.readpartial(1) } }
      assert_raises(Timeout::Error) { Timeout.timeout(0.001) { one.readpartial(1) } }
    end
  end

  def test_a_class_and_a_message_of_ones_own
    scheduled do
      error = assert_raises(Late) { Timeout.timeout(0.001, Late, "too late") { sleep } }

      assert_equal "too late", error.message
    end
  end

  def test_the_inner_one_goes_off_first
    scheduled do
      assert_raises(Late) { Timeout.timeout(60) { Timeout.timeout(0.001, Late) { sleep } } }
    end
  end

  def test_the_outer_one_goes_off_first
    scheduled do
      assert_raises(Late) { Timeout.timeout(0.001, Late) { Timeout.timeout(60) { sleep } } }
    end
  end

  def test_the_outer_one_still_counts_after_the_inner_one_went_off
    scheduled do
      assert_raises(Late) do
        Timeout.timeout(0.01, Late) do
          assert_raises(Timeout::Error) { Timeout.timeout(0.001) { sleep } }
          sleep
        end
      end
    end
  end

  def test_it_is_over_with_its_block
    scheduled do
      Timeout.timeout(0.001) { :quick }
      sleep 0.01
      assert_raises(RuntimeError) { Timeout.timeout(0.001) { raise "of the block" } }
      sleep 0.01
    end
  end

  def test_code_that_does_not_wait_is_interrupted_at_its_next_wait
    scheduled do
      assert_raises(Late) do
        Timeout.timeout(0.001, Late) do
          compute_for_a_while
          sleep 0
          sleep
        end
      end
    end
  end

  def test_a_fiber_that_waits_in_an_enumerator_is_interrupted
    scheduled do
      enumerator = Enumerator.new { |yielder| sleep && (yielder << 1) }

      assert_raises(Late) { Timeout.timeout(0.001, Late) { enumerator.next } }
    end
  end

  def test_a_fiber_that_only_gives_others_their_turn_is_interrupted
    scheduled do
      assert_raises(Late) { Timeout.timeout(0.001, Late) { loop { sleep 0 } } }
    end
  end

  def test_many_at_a_time
    results = []
    scheduled do
      50.times { |n| Fiber.schedule { results << outcome { Timeout.timeout(0.001, Late) { n.even? ? sleep : n } } } }
    end

    assert_equal [Late] * 25, results.grep(Late).map(&:class)
    assert_equal (0...50).select(&:odd?), results.grep(Integer).sort
  end

  def test_no_thread_is_started_for_it
    scheduled do
      before = Thread.list.size
      Timeout.timeout(60) { assert_equal before, Thread.list.size }
    end
  end

  def test_what_was_waited_for_can_still_be_used
    scheduled do
      one, other = UNIXSocket.pair
      queue = Queue.new
      mutex = Mutex.new
      assert_raises(Late) { Timeout.timeout(0.001, Late) { one.readpartial(1) } }
      assert_raises(Late) { Timeout.timeout(0.001, Late) { queue.pop } }
      Fiber.schedule { mutex.synchronize { sleep 0.01 } }
      assert_raises(Late) { Timeout.timeout(0.001, Late) { mutex.lock } }

      other.write("x")
      queue << :x
      assert_equal ["x", :x, :x], [one.readpartial(1), queue.pop, mutex.synchronize { :x }]
    end
  end

  def test_the_hook_passes_the_seconds_to_the_block
    scheduled do |scheduler|
      assert_equal 1.5, scheduler.timeout_after(1.5, Late, "message") { |seconds| seconds }
    end
  end

  def test_without_a_time_there_is_no_timeout
    scheduled do
      [nil, 0].each { |seconds| assert_equal(0, Timeout.timeout(seconds) { sleep 0.001 }) }
    end
  end

  def test_bad_input_is_refused
    in_company do |scheduler|
      assert_raises(ArgumentError) { Timeout.timeout(-1) { :never } }
      assert_raises(ArgumentError) { scheduler.timeout_after(Float::NAN, Late, "message") { :never } }
      assert_raises(TypeError) { scheduler.timeout_after("soon", Late, "message") { :never } }
      assert_raises(LocalJumpError) { scheduler.timeout_after(1, Late, "message") }
    end
  end

  private

  # Until a timer of a millisecond must have come due; nothing here waits.
  def compute_for_a_while
    limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 0.01
    nil until Process.clock_gettime(Process::CLOCK_MONOTONIC) > limit
  end
end
