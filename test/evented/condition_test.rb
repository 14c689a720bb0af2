# frozen_string_literal: true

require "helper"
require "support/ruby_process"
require "support/scheduled"

class ConditionTest < Minitest::Test
  def setup
    @condition = Evented::Condition.new
  end

  def test_a_signal_wakes_the_one_that_waits_longest_and_gives_it_a_value
    in_reactor do
      tasks = Array.new(3) { Evented { @condition.wait } }
      assert_equal 3, @condition.waiting

      assert_equal [true, true], [@condition.signal(:first), @condition.signal(:second)]
      assert_equal(%i[first second], tasks.first(2).map(&:value))
      assert_predicate tasks.last, :alive?
      @condition.signal
      assert_nil tasks.last.value
    end
  end

  def test_a_broadcast_wakes_all
    in_reactor do
      tasks = Array.new(3) { Evented { @condition.wait } }

      assert_equal 3, @condition.broadcast(:all)
      assert_equal [:all], tasks.map(&:value).uniq
      assert_equal 0, @condition.broadcast
    end
  end

  def test_nobody_hears_of_what_was_before
    refute @condition.signal(:lost)
    assert_raises(Evented::TimeoutError) { @condition.wait(timeout: 0.001) }
  end

  def test_between_fibers_threads_and_two_reactors
    wait = -> { @condition.wait(timeout: 60) }
    threads = [wait, -> { in_reactor { wait.call } }, -> { in_reactor { Evented { wait.call }.value } }]
    threads = threads.map.with_index(1) do |work, number|
      Thread.new(&work).tap { wait_until { @condition.waiting == number } }
    end
    @condition.signal(0)
    in_reactor { @condition.signal(1) }
    Thread.new { @condition.broadcast(2) }.join

    assert_equal [0, 1, 2], threads.map(&:value)
  end

  def test_the_time_to_wait_can_be_limited
    assert_raises(Evented::TimeoutError) { @condition.wait(timeout: 0) }
    in_reactor { assert_raises(Evented::TimeoutError) { @condition.wait(timeout: 0.001) } }
    Evented::Testing.virtual_time { assert_raises(Evented::TimeoutError) { @condition.wait(timeout: 3600) } }

    assert_equal 0, @condition.waiting
  end

  def test_one_that_is_cancelled_in_the_middle_is_left_out
    in_reactor do
      first, second, third = Array.new(3) { Evented { @condition.wait } }
      second.cancel
      second.ended
      2.times { |n| @condition.signal(n) }

      assert_equal [0, 1], [first.value, third.value]
    end
  end

  def test_a_signal_to_one_that_is_interrupted_at_that_moment_wakes_the_next
    in_reactor do
      unlucky, lucky, patient = Array.new(3) { Evented { @condition.wait } }
      @condition.signal(:value)
      unlucky.fiber.kill

      assert_equal :value, lucky.value
      assert_predicate patient, :alive?
      patient.cancel
    end
  end

  def test_a_broadcast_to_one_that_is_interrupted_at_that_moment_wakes_nobody_else
    in_reactor do
      unlucky = Evented { @condition.wait }
      @condition.broadcast
      later = Evented { @condition.wait }
      unlucky.fiber.kill
      unlucky.ended

      assert_predicate later, :alive?
      later.cancel
    end
  end

  def test_a_killed_thread_does_not_wait_any_more
    thread = Thread.new { @condition.wait }
    wait_until { @condition.waiting == 1 }
    thread.kill.join

    refute @condition.signal
  end

  def test_bad_input_is_refused
    assert_raises(TypeError) { @condition.wait(timeout: "soon") }
    assert_raises(ArgumentError) { @condition.wait(timeout: -1) }
    assert_raises(ArgumentError) { @condition.wait(color: 1) }
    assert_raises(ArgumentError) { @condition.wait(1) }
    assert_equal "#<Evented::Condition waiting=0>", @condition.inspect
  end

  def test_those_who_waited_in_the_parent_process_are_not_there_in_a_child
    output = output_of_ruby(<<~RUBY)
      condition = Evented::Condition.new
      2.times { Thread.new { condition.wait } }
      Thread.pass until condition.waiting == 2
      Process.wait(fork { p condition.signal, condition.broadcast })
    RUBY

    assert_equal "false\n0\n", output
  end

  def test_every_signal_that_found_somebody_reaches_somebody
    received = Queue.new
    listen = -> { received << @condition.wait while received.size < 400 }
    threads = Array.new(2) { Thread.new(&listen) }
    threads << Thread.new { in_reactor { 3.times { Evented { listen.call } } } }
    sent = 0
    @condition.signal(sent) ? sent += 1 : Thread.pass while sent < 400
    wait_until { received.size >= 400 }
    assert_equal (0...400).to_a, Array.new(400) { received.pop }.sort

    400.times { received << :enough }
    wait_until { @condition.broadcast && threads.none?(&:alive?) }
  end
end
