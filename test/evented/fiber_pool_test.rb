# frozen_string_literal: true

require "concurrent"
require "helper"
require "support/ruby_process"

class FiberPoolTest < Minitest::Test
  def setup
    @errors = Thread::Queue.new
    @pools = []
  end

  def teardown
    @pools.each(&:kill)
    @pools.each { |pool| assert pool.wait_for_termination(10), pool.inspect }
    assert_empty Array.new(@errors.size) { @errors.pop }
  end

  def test_waiting_work_is_done_at_the_same_time
    pool = pool(20)
    gate = Thread::Queue.new
    arrived = Thread::Queue.new
    20.times { pool.post { (arrived << true) && gate.pop } }

    wait_until { arrived.size == 20 }
    refute_predicate pool, :idle?
    assert_equal 0, pool.available_capacity
    gate.close
    wait_until { pool.available_capacity == 20 }
    assert_equal 20, pool.completed_task_count
  end

  def test_no_more_than_its_size_is_done_at_a_time
    pool = pool(3)
    now = most = 0
    futures = Array.new(30) do
      pool.future do
        most = [most, now += 1].max
        sleep 0.001
        now -= 1
      end
    end
    futures.each(&:value)

    assert_equal 3, most
  end

  def test_work_begins_in_the_order_in_which_it_was_posted
    pool = pool(1)
    order = []
    Array.new(50) { |n| pool.future { order << n } }.each(&:value)

    assert_equal (0...50).to_a, order
    assert_predicate pool, :serialized?
  end

  def test_arguments_and_values
    assert_equal 7, pool(2).future(3, 4) { |a, b| a + b }.value
    assert_same(true, pool(2).post { nil })
  end

  def test_its_thread_starts_with_the_first_work
    before = Thread.list
    pool = pool(2, name: "lazy")
    assert_equal before, Thread.list
    pool.future { nil }.value

    assert_equal ["lazy"], (Thread.list - before).map(&:name)
  end

  def test_a_failure_is_told_and_the_others_go_on
    pool = pool(2)
    pool.post { raise "broken" }
    pool.post { throw :nobody }
    pool.post { exit }

    assert_equal "fine", pool.future { "fine" }.value
    assert_equal %w[RuntimeError UncaughtThrowError SystemExit],
                 (wait_until { @errors.size == 3 } && Array.new(3) { @errors.pop.class.name })
  end

  def test_without_anybody_to_tell_a_failure_is_written_to_stderr
    pool = Evented::FiberPool.new(1, name: "loud").tap { |own| @pools << own }
    _, complaint = capture_io do
      pool.post { raise "broken" }
      pool.future { nil }.value
    end

    assert_match(/evented: loud: a posted block failed: .*broken \(RuntimeError\)/, complaint)
  end

  def test_a_future_fails_with_what_the_block_raised
    future = pool(1).future { raise ArgumentError, "broken" }

    assert_equal "broken", assert_raises(ArgumentError) { future.value }.message
  end

  def test_what_a_callback_of_a_future_raises_is_told
    pool = pool(1)
    gate = Thread::Queue.new
    future = pool.future { gate.pop }
    future.callback { raise "broken callback" }
    gate << 5

    assert_equal 5, future.value
    assert_equal "broken callback", @errors.pop(timeout: 5).message
  end

  def test_shutdown_lets_all_that_was_posted_be_done
    pool = pool(2)
    gate = Thread::Queue.new
    futures = Array.new(6) { |n| pool.future { gate.pop || n } }
    assert pool.shutdown
    refute pool.shutdown

    assert_predicate pool, :shuttingdown?
    refute pool.wait_for_termination(0.01)
    gate.close
    assert pool.wait_for_termination(5)
    assert_equal (0...6).to_a, futures.map(&:value)
    assert_predicate pool, :shutdown?
    refute_predicate pool, :running?
  end

  def test_one_that_was_shut_down_takes_no_work
    pool = pool(2)
    pool.shutdown

    assert_match(/takes no more work/, assert_raises(Evented::FiberPool::Rejected) { pool.post { nil } }.message)
    assert pool.wait_for_termination(0)
  end

  def test_kill_cancels_what_is_done_and_drops_what_waits
    pool = pool(1)
    cleaned_up = Thread::Queue.new
    begun = Thread::Queue.new
    running = pool.future do
      begun << true
      sleep
    ensure
      cleaned_up << true
    end
    waiting = pool.future { flunk "it never begins" }
    begun.pop
    pool.kill

    assert pool.wait_for_termination(5)
    assert_equal 1, cleaned_up.size
    assert_match(/was killed/, assert_raises(Evented::FiberPool::Killed) { running.value }.message)
    assert_match(/before it began/, assert_raises(Evented::FiberPool::Killed) { waiting.value }.message)
    assert_equal 2, pool.completed_task_count
  end

  def test_killing_one_that_is_busy_loses_no_future
    20.times do
      pool = pool(3)
      futures = Array.new(30) { pool.future { sleep 0.0005 } }
      pool.kill
      assert pool.wait_for_termination(5)

      assert(futures.all?(&:settled?), "a future was never settled")
      assert_equal 0, pool.length
    end
  end

  def test_a_full_one_turns_work_away
    pool = pool(1, max_queue: 1)
    gate = Thread::Queue.new
    2.times { pool.post { gate.pop } }

    assert_predicate pool, :can_overflow?
    assert_equal 0, pool.remaining_capacity
    assert_match(/is full/, assert_raises(Evented::FiberPool::Rejected) { pool.post { nil } }.message)
    gate.close
    wait_until { pool.idle? }
    assert_equal "taken", pool.future { "taken" }.value
  end

  def test_on_idle_is_called_when_there_is_room_again
    calls = Thread::Queue.new
    pool = pool(2, on_idle: -> { calls << pool.available_capacity })
    gate = Thread::Queue.new
    3.times { pool.post { gate.pop } }
    gate << 1

    assert_nil calls.pop(timeout: 0.05), "the third takes the room of the first"
    gate << 2
    assert_equal 1, calls.pop(timeout: 5)
    gate << 3
    assert_equal 2, calls.pop(timeout: 5)
  end

  def test_work_that_takes_too_long_is_ended
    pool = pool(2, timeout: 0.05)
    cleaned_up = false
    future = pool.future do
      sleep
    ensure
      cleaned_up = true
    end

    assert_raises(Evented::TimeoutError) { future.value }
    assert cleaned_up
    assert_equal "next", pool.future { "next" }.value
  end

  def test_many_threads_may_post
    pool = pool(10)
    seen = Array.new(2000, 0)
    Array.new(8) { |t| Thread.new { 250.times { |n| pool.post { seen[(t * 250) + n] += 1 } } } }.each(&:join)
    pool.shutdown

    assert pool.wait_for_termination(10)
    assert_equal [1], seen.uniq
  end

  def test_a_fiber_that_waits_for_a_future_does_not_block_its_reactor
    pool = pool(1)
    gate = Thread::Queue.new
    in_reactor do
      future = pool.future { gate.pop }
      waiting = Evented { future.value }
      Evented { gate << "let go by a sibling" }

      assert_equal "let go by a sibling", waiting.value
    end
  end

  def test_work_knows_nothing_of_who_posted_the_first
    pool = pool(1)
    in_reactor do
      Fiber[:secret] = "mine"
      assert_nil pool.future { Fiber[:secret] }.value
    end
    assert_nil pool.future { Fiber[:secret] }.value
  end

  def test_it_is_an_executor_of_concurrent_ruby
    pool = pool(4)
    promise = Concurrent::Promises.future_on(pool, 20) { |n| n + 1 }.then_on(pool) { |n| n * 2 }

    assert_equal 42, promise.value!(5)
    assert_equal 5, Concurrent::Future.execute(executor: pool) { 5 }.value(5)
    wanted = %i[post << can_overflow? serialized? shutdown kill wait_for_termination running? shuttingdown? shutdown?]
    assert_empty(wanted.reject { |name| pool.respond_to?(name) })
  end

  def test_a_forked_child_has_a_thread_of_its_own_and_none_of_its_parents_work
    output = output_of_ruby(<<~RUBY)
      pool = Evented::FiberPool.new(2)
      gate = Thread::Queue.new
      pool.post { gate.pop && puts("the parent's work") }
      pool.future { nil }.value
      child = fork do
        puts "child: \#{pool.available_capacity} free, \#{pool.future { Process.pid }.value == Process.pid}"
        pool.shutdown
        puts pool.wait_for_termination(5)
      end
      Process.wait(child)
      gate << true
      pool.shutdown
      puts pool.wait_for_termination(5)
    RUBY

    assert_equal ["child: 2 free, true", "true", "the parent's work", "true"], output.lines(chomp: true)
  end

  def test_a_pool_that_was_made_before_a_fork_works_after_it
    assert_equal "5\n5\n", output_of_ruby(<<~RUBY)
      pool = Evented::FiberPool.new(2)
      Process.wait(fork { puts pool.future { 5 }.value })
      puts pool.future { 5 }.value
    RUBY
  end

  def test_a_process_that_exits_lets_running_work_clean_up
    assert_equal "cleaned up\n", output_of_ruby(<<~RUBY)
      begun = Thread::Queue.new
      Evented::FiberPool.new(1).post { begin begun << 1; sleep; ensure puts "cleaned up"; end }
      begun.pop
    RUBY
  end

  def test_work_that_can_not_begin_fails_and_the_others_go_on
    pool = pool(2)
    refusing = Object.new
    refusing.define_singleton_method(:for) { |task| raise "refused" if task.parent && task.name == "refusing work" }
    failures = with_surroundings(refusing) do
      other = pool(2, name: "refusing")
      Array.new(3) { other.future { 5 } }.map { |future| assert_raises(RuntimeError) { future.value }.message }
    end

    assert_equal ["refused"] * 3, failures
    assert_equal 5, pool.future { 5 }.value
    assert_equal [0], @pools.map(&:length).uniq
  end

  def test_what_makes_no_sense_is_refused
    assert_raises(ArgumentError) { Evented::FiberPool.new(0) }
    assert_raises(TypeError) { Evented::FiberPool.new("5") }
    assert_raises(ArgumentError) { Evented::FiberPool.new(1, timeout: -1) }
    assert_raises(ArgumentError) { Evented::FiberPool.new(1, max_queue: -1) }
    assert_raises(ArgumentError) { Evented::FiberPool.new(1, on_idle: 5) }
    assert_raises(ArgumentError) { pool(1).post }
    assert_raises(ArgumentError) { pool(1).future }
  end

  def test_inspect_tells_what_it_is_doing
    assert_equal '#<Evented::FiberPool "mails" running size=2 active=0 waiting=0>', pool(2, name: "mails").inspect
  end

  private

  def with_surroundings(surroundings)
    former = Evented::Task.surroundings
    Evented::Task.surroundings = surroundings
    yield
  ensure
    Evented::Task.surroundings = former
  end

  def pool(size, **)
    Evented::FiberPool.new(size, on_error: ->(error) { @errors << error }, **).tap { |own| @pools << own }
  end
end
