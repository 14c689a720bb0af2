# frozen_string_literal: true

require "helper"
require "socket"
require "support/ruby_process"
require "support/scheduled"
require "support/stress"
require "support/workload"

# Between a reactor and the other threads of the process.
class ThreadsTest < Minitest::Test
  REACTORS = 8

  def test_a_queue_between_a_reactor_and_a_thread
    there = Queue.new
    back = Queue.new
    echo = Thread.new { while (n = there.pop) do back << n end }
    got = scheduled do
      Array.new(200) do |n|
        there << n
        back.pop
      end
    end
    there.close

    assert_equal (0...200).to_a, got
  ensure
    echo&.join
  end

  def test_many_threads_push_to_one_reactor
    queue = Queue.new
    threads = Array.new(4) { |t| Thread.new { 250.times { |n| queue << ((t * 250) + n) } } }
    got = scheduled do
      results = []
      10.times { Fiber.schedule { 100.times { results << queue.pop } } }
      wait_until { results.size == 1000 }
      results
    end
    threads.each(&:join)

    assert_equal (0...1000).to_a, got.sort
  end

  def test_two_reactors_talk_through_queues
    there = Queue.new
    back = Queue.new
    one = Thread.new { Evented.run { Array.new(100) { |n| (there << n) && back.pop } } }
    other = Thread.new { Evented.run { 100.times { back << (there.pop * 2) } } }

    assert_equal (0...100).map { |n| n * 2 }, one.value
    other.join
  end

  def test_a_mutex_between_a_reactor_and_threads
    mutex = Mutex.new
    count = 0
    add = -> { mutex.synchronize { count.then { |was| Thread.pass || (count = was + 1) } } }
    threads = Array.new(3) { Thread.new { 100.times { add.call } } }
    scheduled { 10.times { Fiber.schedule { 10.times { add.call && sleep(0) } } } }
    threads.each(&:join)

    assert_equal 400, count
  end

  def test_a_condition_variable_that_a_thread_signals
    mutex = Mutex.new
    condition = ConditionVariable.new
    ready = false
    loop_thread = nil
    signaller = Thread.new do
      wait_until { loop_thread }
      wait_until_asleep(loop_thread)
      mutex.synchronize { (ready = true) && condition.signal }
    end
    scheduled do
      loop_thread = Thread.current
      mutex.synchronize { condition.wait(mutex) until ready }
    end
    signaller.join

    assert ready
  end

  def test_a_thread_waits_for_what_a_fiber_signals
    mutex = Mutex.new
    condition = ConditionVariable.new
    ready = false
    waiter = Thread.new { mutex.synchronize { condition.wait(mutex) until ready } }
    scheduled { mutex.synchronize { (ready = true) && condition.broadcast } }

    assert waiter.join(5)
  end

  def test_values_and_failures_of_many_threads
    scheduled do
      values = []
      20.times { |n| Fiber.schedule { values << Thread.new { n * 2 }.value } }
      wait_until { values.size == 20 }

      assert_equal (0...20).map { |n| n * 2 }, values.sort
    end
  end

  def test_raising_in_the_thread_of_a_sleeping_reactor
    thread = reactor_that_sleeps
    thread.raise(ArgumentError, "for the reactor")

    assert_equal "for the reactor", assert_raises(ArgumentError) { thread.value }.message
  end

  def test_killing_the_thread_of_a_sleeping_reactor
    thread = reactor_that_sleeps
    thread.kill

    assert thread.join(5)
    assert_equal [:cleaned_up], @events
  end

  def test_raising_in_the_thread_of_a_busy_reactor
    ticks = 0
    thread = Thread.new do
      Thread.current.report_on_exception = false
      Evented.run { loop { (ticks += 1) && sleep(0) } }
    end
    wait_until { ticks > 100 }
    thread.raise(ArgumentError, "for the reactor")

    assert_raises(ArgumentError) { thread.value }
  end

  def test_an_unblock_that_races_with_the_loop_going_to_sleep_is_not_lost
    500.times do
      queue = Queue.new
      pusher = Thread.new { queue << :there }
      assert_equal(:there, scheduled { queue.pop })
      pusher.join
    end
  end

  def test_a_sleeping_reactor_lets_the_other_threads_run
    thread = reactor_that_sleeps
    count = 0
    10_000.times { count += 1 }

    assert_equal 10_000, count
    assert_equal "sleep", thread.status
  ensure
    thread&.kill&.join
  end

  def test_an_io_that_a_thread_reads_is_closed_by_a_fiber
    reader, = @pipe = IO.pipe
    thread = Thread.new { outcome { reader.readpartial(1) } }
    wait_until_asleep(thread)
    scheduled { reader.close }

    assert_instance_of IOError, thread.value
  end

  def test_a_reactor_on_each_of_eight_threads
    rounds = Array.new(REACTORS) { 0 }
    wrong = Array.new(REACTORS) do |n|
      Thread.new do
        Array.new(at_length(1, 50)) { Evented.run { Workload.run }.tap { rounds[n] += 1 } }.flatten
      end
    end.map(&:value)
    tell "each of #{REACTORS} reactors did all of the workload #{rounds.minmax.uniq.join(" to ")} times"

    assert_empty wrong.flatten
  end

  # Each takes what the one before it sends, counts it on and sends it to the next.
  def test_eight_reactors_in_a_ring
    queues = Array.new(REACTORS) { Queue.new }
    laps = at_length(100, 20_000)
    reactors = queues.each_with_index.map do |queue, n|
      Thread.new { Evented.run { Array.new(laps) { queue.pop.tap { |so_far| queues[n - 1] << (so_far + 1) } }.last } }
    end
    queues.last << 0
    reactors.each(&:join)
    tell "#{laps * REACTORS} times handed on"

    # The last one of the last lap is still in the queue of the first.
    assert_equal laps * REACTORS, queues.last.pop
  end

  # A fiber says that it is about to wait, and is unblocked once for that: maybe before it does. So each wait ends once,
  # and none before or without that.
  def test_two_threads_that_unblock_the_fibers_of_a_third_as_fast_as_they_can
    waiting = Array.new(2) { Queue.new }
    sent = [0, 0]
    woken = early = 0
    done = false
    reactor = nil
    threads = sent.each_index.map do |n|
      Thread.new do
        while (fiber, told = waiting[n].pop)
          told[0] = true
          sent[n] += 1
          reactor.unblock(:test, fiber)
        end
      end
    end
    scheduled do |scheduler|
      reactor = scheduler
      fibers = Array.new(50) do
        Fiber.schedule do
          until done
            waiting[(woken + early) % 2] << [Fiber.current, told = [false]]
            scheduler.block(:test, nil)
            told[0] ? woken += 1 : early += 1
          end
        end
      end
      sleep at_length(0, 60)
      wait_until(deadline: 20) { sent.min > 1000 }
      done = true
      wait_until(deadline: 20) { fibers.none?(&:alive?) }
    end
    waiting.each(&:close)
    threads.each(&:join)
    tell "#{sent.sum} wake-ups by two threads, #{woken} fibers went on, #{early} before their time"

    assert_equal [sent.sum, 0], [woken, early]
  end

  def test_a_reactor_works_beside_ractors
    assert_equal "[]\n[4950, 4950]\n", output_of_ruby(<<~RUBY)
      require "#{ROOT}/test/support/workload"
      Warning[:experimental] = false
      ractors = Array.new(2) { Ractor.new { 20.times { Array.new(10_000, &:to_s) }; [*0...100].sum } }
      p Workload.run
      p ractors.map { |ractor| ractor.respond_to?(:value) ? ractor.value : ractor.take }
    RUBY
  end

  private

  def reactor_that_sleeps
    @events = []
    thread = Thread.new do
      Thread.current.report_on_exception = false
      Evented.run do
        sleep
      ensure
        @events << :cleaned_up
      end
    end
    wait_until_asleep(thread)
    thread
  end
end
