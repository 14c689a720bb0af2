# frozen_string_literal: true

require "helper"
require "io/wait"
require "socket"
require "support/scheduled"
require "timeout"

class TestingTest < Minitest::Test
  def test_virtual_time_passes_at_once
    slept = Evented::Testing.virtual_time do
      began = Evented.clock
      [3600, 1800].map { |seconds| Evented { sleep seconds } }.each(&:wait)
      Evented.clock - began
    end

    assert_in_delta 3600, slept, 1e-6
  end

  def test_deadlines_come_in_their_order
    order = []
    Evented::Testing.virtual_time do
      [30, 10, 20].each { |seconds| Evented { sleep(seconds) && (order << seconds) } }
    end

    assert_equal [10, 20, 30], order
  end

  def test_timeouts_of_all_kinds_are_virtual
    Evented::Testing.virtual_time do
      assert_raises(Timeout::Error) { Timeout.timeout(3600) { Queue.new.pop } }
      assert_raises(Evented::TimeoutError) { Evented.timeout(3600) { Queue.new.pop } }
    end
  end

  def test_timeouts_that_ruby_measures_itself_are_refused
    Evented::Testing.virtual_time do
      error = assert_raises(Evented::Error) { Queue.new.pop(timeout: 3600) }

      assert_match(/wrap the call in Evented.timeout/, error.message)
    end
  end

  def test_what_can_never_come_about_does_not_hold_time_up
    Evented::Testing.virtual_time { File.open(__FILE__) { |file| refute file.wait(IO::PRIORITY, 3600) } }
  end

  def test_what_is_ready_needs_no_time
    Evented::Testing.virtual_time do
      one, other = UNIXSocket.pair
      Evented { 3.times { other.write(other.readpartial(1)) } }
      echoes = Array.new(3) { one.write("x") && one.readpartial(1) }
      assert_equal %w[x x x], echoes
    end
  end

  def test_time_can_not_pass_while_somebody_waits_for_a_descriptor
    error = assert_raises(Evented::Error) do
      Evented::Testing.virtual_time do
        reader, @writer = IO.pipe
        Evented(name: "the reader") { reader.read }
        sleep 1
      end
    end

    assert_match(/virtual time can't pass.*"the reader" waiting io_wait/m, error.message)
    refute_match(%r{lib/evented\.rb}, error.message, "what is ours is nobody's place")
  end

  def test_who_asked_for_virtual_time_hears_of_it_and_the_others_go_on
    in_reactor do
      reader, @writer = IO.pipe
      other = Evented { sleep(0.001) && :done }
      assert_raises(Evented::Error) { Evented::Testing.virtual_time { Evented { reader.read } && sleep(1) } }

      assert_equal :done, other.value
    end
  end

  def test_in_a_scheduler_that_was_set_by_hand
    message = nil
    Thread.new do
      Fiber.set_scheduler(Evented::Scheduler.new)
      Fiber.schedule do
        reader, @writer = IO.pipe
        message = assert_raises(Evented::Error) do
          Evented::Testing.virtual_time { Evented(name: "the reader") { reader.read } && sleep(1) }
        end.message
      end
    end.join

    assert_match(/virtual time can't pass.*"the reader" waiting io_wait/m, message)
  end

  def test_virtual_time_may_be_nested_and_asked_for_by_several
    passed = Evented::Testing.virtual_time do
      began = Evented.clock
      Evented { Evented::Testing.virtual_time { sleep 3600 } }
      Evented::Testing.virtual_time { sleep 1800 }
      sleep 7200
      Evented.clock - began
    end

    assert_in_delta 9000, passed, 1e-6
  end

  def test_afterwards_time_is_real_and_has_not_gone_back
    in_reactor do
      before = Evented.clock
      Evented::Testing.virtual_time { sleep 3600 }

      assert_operator Evented.clock, :>=, before + 3600
      turns = Fiber.scheduler.stats[:turns]
      sleep 0.002
      assert_operator Fiber.scheduler.stats[:turns], :>, turns
    end
  end

  def test_a_seed_gives_an_order_that_can_be_had_again
    assert_equal (0...20).to_a, order(nil)
    refute_equal order(nil), order(1)
    assert_equal order(1), order(1)
    refute_equal order(1), order(2)
    assert_equal (0...20).to_a, order(-(2**70)).sort
  ensure
    Evented::Testing.seed(nil)
  end

  def test_bad_input_is_refused
    assert_raises(TypeError) { Evented::Testing.seed("1") }
    assert_raises(ArgumentError) { Evented::Testing.virtual_time }
  end

  private

  def order(seed)
    Evented::Testing.seed(seed)
    [].tap { |order| Evented { 20.times { |n| Evented { sleep(0) && (order << n) } } } }
  end
end
