# frozen_string_literal: true

require "helper"
require "support/ruby_process"
require "support/scheduled"

class PriorityQueueTest < Minitest::Test
  def setup
    @queue = Evented::PriorityQueue.new
  end

  def test_the_lowest_number_comes_first_and_among_equals_what_came_first
    @queue.push(:late, 2.5).push(:early, -1).push(:one) << :two
    @queue.enq(:three, 0).push(:half, 1r / 2)

    assert_equal 6, @queue.size
    assert_equal(%i[early one two three half late], Array.new(6) { @queue.pop })
  end

  def test_many_come_in_order
    numbers = Array.new(500) { rand(50) }
    numbers.each.with_index { |number, index| @queue.push([number, index], number) }

    assert_equal(numbers.each.with_index.to_a.sort, Array.new(500) { @queue.pop })
    assert_predicate @queue, :empty?
  end

  def test_the_longest_waiting_gets_the_next_in_fibers_threads_and_two_reactors
    work = [-> { @queue.pop }, -> { in_reactor { @queue.shift } }, -> { in_reactor { Evented { @queue.deq }.value } },
            -> { @queue.pop(timeout: 60) }]
    threads = work.map.with_index(1) do |wait, number|
      Thread.new(&wait).tap { wait_until { @queue.num_waiting == number } }
    end
    @queue << 1
    in_reactor { 3.times { |number| @queue.push(number + 2, -number) } }

    assert_equal [1, 2, 3, 4], threads.map(&:value)
  end

  def test_it_does_not_have_to_wait
    assert_equal "queue empty", assert_raises(ThreadError) { @queue.pop(true) }.message
    @queue << nil
    assert_nil @queue.pop(true)
    assert_raises(ThreadError) { @queue.close.pop(true) }
  end

  def test_the_time_to_wait_can_be_limited
    assert_nil @queue.pop(timeout: 0.001)
    in_reactor { assert_nil @queue.pop(timeout: 0.001) }
    Evented::Testing.virtual_time do
      assert_nil @queue.pop(timeout: 3600)
      Evented { sleep(60) && (@queue << :item) }
      assert_equal :item, @queue.pop(timeout: 3600)
    end

    assert_equal 0, @queue.num_waiting
  end

  def test_an_interruption_is_not_taken_for_a_timeout
    in_reactor do
      task = Evented { outcome { @queue.pop(timeout: 60) } }
      task.fiber.raise(Evented::TimeoutError, "another one's")

      assert_equal "another one's", task.value.message
    end
  end

  def test_closing_lets_in_nothing_more_and_wakes_those_who_wait
    in_reactor do
      tasks = Array.new(2) { Evented { @queue.pop } }
      assert_same @queue, @queue.close

      assert_equal [nil, nil], tasks.map(&:value)
    end
    assert_predicate @queue, :closed?
    assert_raises(ClosedQueueError) { @queue << 1 }
    assert_nil @queue.pop
  end

  def test_what_is_in_when_it_is_closed_can_still_be_had
    @queue.push(1).close

    assert_equal [1, nil], [@queue.pop, @queue.pop]
  end

  def test_each_goes_on_until_it_is_closed_and_empty
    got = []
    in_reactor do
      Evented { assert_same(@queue, @queue.each { |item| got << item }) }
      Evented { [1, nil, false, 4].each { |item| @queue << item }.then { @queue.close } }
    end

    assert_equal [1, nil, false, 4], got
    assert_empty @queue.each.to_a
  end

  def test_it_can_be_cleared
    3.times { |item| @queue << item }

    assert_equal 3, @queue.length
    assert_equal 0, @queue.clear.length
  end

  def test_one_that_is_cancelled_in_the_middle_is_left_out
    in_reactor do
      first, second, third = Array.new(3) { Evented { @queue.pop } }
      second.cancel
      second.ended
      @queue.push(1).push(2)

      assert_equal [1, 2], [first.value, third.value]
    end
  end

  def test_what_was_handed_to_one_that_is_interrupted_at_that_moment_goes_to_the_next_or_back
    in_reactor do
      unlucky, lucky = Array.new(2) { Evented { @queue.pop } }
      @queue.push(:item, 7)
      unlucky.fiber.kill
      assert_equal :item, lucky.value

      unlucky = Evented { @queue.pop }
      @queue.push(:item, 7).push(:later, 8)
      unlucky.fiber.kill
      unlucky.ended
      assert_equal %i[item later], [@queue.pop, @queue.pop]
    end
  end

  def test_a_killed_thread_takes_nothing
    thread = Thread.new { @queue.pop }
    wait_until { @queue.num_waiting == 1 }
    thread.kill.join
    @queue << 1

    assert_equal 1, @queue.pop
  end

  def test_bad_input_is_refused
    assert_match(/lower the sooner/, assert_raises(TypeError) { @queue.push(1, "high") }.message)
    assert_raises(TypeError) { @queue.push(1, 1i) }
    assert_raises(ArgumentError) { @queue.push(1, Float::NAN) }
    assert_raises(TypeError) { @queue.pop(timeout: "soon") }
    assert_raises(ArgumentError) { @queue.pop(timeout: -1) }
    assert_raises(ArgumentError) { @queue.pop(true, timeout: 1) }
    assert_raises(ArgumentError) { @queue.pop(color: 1) }
    assert_equal "#<Evented::PriorityQueue size=0 num_waiting=0>", @queue.inspect
  end

  def test_those_who_waited_in_the_parent_process_are_not_there_in_a_child
    output = output_of_ruby(<<~RUBY)
      queue = Evented::PriorityQueue.new
      Thread.new { queue.pop }
      Thread.pass until queue.num_waiting == 1
      Process.wait(fork { p queue.push(:item).pop(true) })
    RUBY

    assert_equal ":item\n", output
  end

  def test_nothing_is_lost_or_doubled_in_the_thick_of_it
    got = Queue.new
    take = -> { (item = @queue.pop(timeout: 0.001)) && (got << item) }
    takers = Array.new(2) { Thread.new { take.call until got.size >= 600 } }
    takers << Thread.new do
      in_reactor do
        until got.size >= 600
          task = Evented { take.call }
          sleep 0
          Thread.pass
          task.cancel
          task.ended
        end
      end
    end
    givers = Array.new(2) { |n| Thread.new { 300.times { |m| @queue.push((n * 300) + m, rand(9)) && Thread.pass } } }
    (givers + takers).each(&:join)

    assert_equal (0...600).to_a, Array.new(600) { got.pop }.sort
    assert_predicate @queue, :empty?
  end
end
