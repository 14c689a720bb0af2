# frozen_string_literal: true

require "helper"
require "support/scheduled"

class QueueTest < Minitest::Test
  def test_it_is_rubys_own
    queue = Evented::Queue.new([1, 2])
    queue.push(3) << 4

    assert_kind_of Thread::Queue, queue
    assert_equal [1, 2, 3, 4, 0], [queue.pop, queue.shift, queue.deq, queue.pop(true), queue.size]
    assert_raises(ThreadError) { queue.pop(true) }
    assert_raises(ClosedQueueError) { queue.close << 1 }
    assert_nil queue.pop
  end

  def test_one_with_a_limit_is_rubys_own_too
    queue = Evented::LimitedQueue.new(1)
    queue << 1

    assert_kind_of Thread::SizedQueue, queue
    assert_raises(ThreadError) { queue.push(2, true) }
    assert_equal [1, 1], [queue.max, queue.pop]
    assert_raises(ArgumentError) { Evented::LimitedQueue.new(0) }
  end

  def test_each_goes_on_until_it_is_closed_and_empty
    [Evented::Queue.new, Evented::LimitedQueue.new(2)].each do |queue|
      got = []
      in_reactor do
        Evented { assert_same(queue, queue.each { |item| got << item }) }
        Evented { [1, nil, false, 4].each { |item| queue << item }.then { queue.close } }
      end

      assert_equal [1, nil, false, 4], got
    end
  end

  def test_each_without_a_block_is_an_enumerator
    queue = Evented::Queue.new([1, 2, 3])

    assert_equal [1, 2], queue.each.first(2)
    assert_equal(3, in_reactor { queue.each.next })
  end

  def test_items_are_shared_out_among_fibers_threads_and_two_reactors
    queue = Evented::LimitedQueue.new(3)
    got = Queue.new
    work = -> { queue.each { |item| got << item } }
    threads = [Thread.new(&work), Thread.new { in_reactor { 2.times { Evented { work.call } } } }]
    threads << Thread.new { in_reactor { 300.times { |item| queue << item }.then { queue.close } } }
    threads.each(&:join)

    assert_equal (0...300).to_a, Array.new(300) { got.pop }.sort
    assert_empty got
  end

  def test_the_time_to_wait_can_be_limited
    check = lambda do
      assert_nil Evented::Queue.new.pop(timeout: 0.001)
      assert_nil Evented::LimitedQueue.new(1).tap { |queue| queue << 1 }.push(2, timeout: 0.001)
    end
    check.call
    in_reactor { check.call }
  end

  def test_in_virtual_time_too
    Evented::Testing.virtual_time do
      began = Evented.clock
      queue = Evented::Queue.new
      limited = Evented::LimitedQueue.new(1)
      %i[pop shift deq].each do |method|
        assert_nil queue.public_send(method, timeout: 1000)
        assert_nil limited.public_send(method, timeout: 1000)
      end
      limited << 1
      %i[push enq].each { |method| assert_nil limited.public_send(method, 2, timeout: 1000) }

      assert_in_delta 8000, Evented.clock - began, 1e-3
    end
  end

  def test_in_virtual_time_what_comes_in_time_is_had
    Evented::Testing.virtual_time do
      queue = Evented::LimitedQueue.new(1)
      Evented { sleep(10) && queue.push(:item).push(:other, timeout: 60) }
      assert_equal :item, queue.pop(timeout: 60)
      sleep 0
      assert_equal [:other, nil], [queue.pop(timeout: 0), queue.pop(timeout: 0)]
      queue << 1

      assert_nil queue.push(2, timeout: 0)
      assert_raises(ArgumentError) { queue.pop(true, timeout: 1) }
      assert_raises(TypeError) { queue.clear.pop(timeout: "soon") }
      assert_raises(ArgumentError) { queue.pop(color: 1) }
    end
  end

  def test_an_interruption_is_not_taken_for_a_timeout
    Evented::Testing.virtual_time do
      queue = Evented::Queue.new
      task = Evented { queue.pop(timeout: 3600) }
      task.cancel
      assert_equal :cancelled, task.ended

      assert_raises(Evented::TimeoutError) { Evented.timeout(1) { queue.pop(timeout: 3600) } }
    end
  end

  def test_without_virtual_time_nothing_stands_between
    output = output_of_ruby(<<~RUBY)
      p Evented::Queue.instance_method(:pop).owner, Evented::LimitedQueue.instance_method(:push).owner
    RUBY

    assert_equal "Thread::Queue\nThread::SizedQueue\n", output
  end
end
