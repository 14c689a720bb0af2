# frozen_string_literal: true

require "helper"
require "support/ruby_process"
require "support/scheduled"

class SemaphoreTest < Minitest::Test
  def test_it_lets_so_many_in_and_no_more
    semaphore = Evented::Semaphore.new(3)
    inside = most = 0
    in_reactor do
      10.times do
        Evented do
          semaphore.acquire do
            most = [most, inside += 1].max
            sleep 0
            inside -= 1
          end
        end
      end
      assert_equal [0, 7], [semaphore.available, semaphore.waiting]
    end

    assert_equal [3, 3, 0], [most, semaphore.available, semaphore.waiting]
  end

  def test_a_block_gives_its_value_and_releases_also_when_it_fails
    semaphore = Evented::Semaphore.new(1)

    assert_equal(:value, semaphore.acquire { assert_equal(0, semaphore.available) && :value })
    assert_raises(RuntimeError) { semaphore.acquire { raise "it failed" } }
    assert_equal(:thrown, catch(:out) { semaphore.acquire { throw :out, :thrown } })
    assert_equal 1, semaphore.available
  end

  def test_without_a_block
    semaphore = Evented::Semaphore.new(1)

    assert_equal [true, false], [semaphore.acquire, semaphore.try_acquire]
    assert_same semaphore, semaphore.release
    assert_equal [true, 0], [semaphore.try_acquire, semaphore.available]
  end

  def test_the_longest_waiting_is_next_in_fibers_threads_and_two_reactors
    semaphore = Evented::Semaphore.new(1)
    semaphore.acquire
    order = Queue.new
    enter = ->(name) { semaphore.acquire { order << name } }
    work = [-> { enter.call(:plain) }, -> { in_reactor { enter.call(:reactor) } },
            -> { in_reactor { Evented { enter.call(:other) } } }, -> { enter.call(:last) }]
    threads = work.map.with_index(1) do |work_of_one, number|
      Thread.new(&work_of_one).tap { wait_until { semaphore.waiting == number } }
    end
    semaphore.release
    threads.each(&:join)

    assert_equal %i[plain reactor other last], Array.new(4) { order.pop }
    assert_equal 1, semaphore.available
  end

  def test_nobody_snatches_what_was_handed_over
    semaphore = Evented::Semaphore.new(1)
    in_reactor do
      semaphore.acquire
      waiting = Evented { semaphore.acquire(timeout: 60) }
      semaphore.release
      refute semaphore.try_acquire

      assert waiting.value
    end
  end

  def test_one_that_is_cancelled_in_the_middle_is_left_out
    semaphore = Evented::Semaphore.new(1)
    order = []
    in_reactor do
      semaphore.acquire
      tasks = %i[first second third].map { |name| Evented { semaphore.acquire { order << name } } }
      tasks[1].cancel
      assert_equal :cancelled, tasks[1].ended
      semaphore.release
    end

    assert_equal %i[first third], order
    assert_equal [1, 0], [semaphore.available, semaphore.waiting]
  end

  def test_one_that_is_interrupted_right_after_the_hand_over_passes_it_on
    interruptions = { cancel: lambda(&:cancel), kill: ->(task) { task.fiber.kill },
                      raise: ->(task) { task.fiber.raise(Evented::Cancel.new) } }
    interruptions.each do |name, interrupt|
      semaphore = Evented::Semaphore.new(1)
      in_reactor do
        semaphore.acquire
        unlucky = Evented { outcome { semaphore.acquire { sleep } } }
        lucky = Evented { semaphore.acquire { :lucky } }
        semaphore.release
        interrupt.call(unlucky)

        unlucky.ended
        assert_equal :lucky, lucky.value, name
      end
      assert_equal 1, semaphore.available, name
    end
  end

  def test_one_whose_time_is_up_right_after_the_hand_over_loses_nothing
    semaphore = Evented::Semaphore.new(1)
    Evented::Testing.virtual_time do
      semaphore.acquire
      unlucky = Evented { semaphore.acquire(timeout: 1) { :in_time } }
      Evented { sleep(1) && semaphore.release }
      result = outcome { unlucky.value }

      assert_includes [:in_time, Evented::TimeoutError], result.is_a?(Exception) ? result.class : result
    end
    assert_equal 1, semaphore.available
  end

  def test_a_killed_thread_loses_nothing
    semaphore = Evented::Semaphore.new(1)
    semaphore.acquire
    thread = Thread.new { semaphore.acquire { flunk } }
    wait_until { semaphore.waiting == 1 }
    thread.kill.join
    assert_equal 0, semaphore.waiting
    thread = Thread.new { semaphore.acquire { sleep } }
    wait_until { semaphore.waiting == 1 }
    semaphore.release
    thread.kill.join

    assert_equal 1, semaphore.available
  end

  def test_the_time_to_wait_can_be_limited
    semaphore = Evented::Semaphore.new(1)
    semaphore.acquire
    assert_raises(Evented::TimeoutError) { semaphore.acquire(timeout: 0.001) { flunk } }
    in_reactor { assert_raises(Evented::TimeoutError) { semaphore.acquire(timeout: 0) } }
    Evented::Testing.virtual_time do
      assert_raises(Evented::TimeoutError) { semaphore.acquire(timeout: 3600) }
      Evented { sleep(60) && semaphore.release }
      assert(semaphore.acquire(timeout: 3600))
    end

    assert_equal [0, 0], [semaphore.available, semaphore.waiting]
  end

  def test_a_higher_limit_lets_in_those_who_wait
    semaphore = Evented::Semaphore.new(1)
    in_reactor do
      semaphore.acquire
      tasks = Array.new(3) { Evented { semaphore.acquire } }
      semaphore.limit = 3

      assert_equal [0, 1, 3], [semaphore.available, semaphore.waiting, semaphore.limit]
      tasks.first(2).each(&:wait)
      semaphore.release
    end
  end

  def test_a_lower_limit_takes_nothing_away_and_lets_nobody_follow
    semaphore = Evented::Semaphore.new(3)
    3.times { semaphore.acquire }
    semaphore.limit = 1
    thread = Thread.new { semaphore.acquire }
    wait_until { semaphore.waiting == 1 }
    2.times { semaphore.release }
    assert_equal [0, 1], [semaphore.available, semaphore.waiting]
    semaphore.release

    assert thread.value
    semaphore.release
    assert_equal 1, semaphore.available
    assert_raises(Evented::Error) { semaphore.release }
  end

  def test_who_releases_may_be_somebody_else
    semaphore = Evented::Semaphore.new(1)
    semaphore.acquire
    Thread.new { semaphore.release }.join

    assert_equal 1, semaphore.available
  end

  def test_a_release_without_an_acquire_is_refused
    semaphore = Evented::Semaphore.new(2)
    semaphore.acquire
    semaphore.release
    assert_match(/more often/, assert_raises(Evented::Error) { semaphore.release }.message)

    assert_equal 2, semaphore.available
  end

  def test_bad_input_is_refused
    assert_raises(TypeError) { Evented::Semaphore.new("3") }
    assert_raises(TypeError) { Evented::Semaphore.new(nil) }
    [0, -1].each { |limit| assert_raises(ArgumentError) { Evented::Semaphore.new(limit) } }
    semaphore = Evented::Semaphore.new(1)
    assert_raises(TypeError) { semaphore.acquire(timeout: "soon") { flunk } }
    assert_raises(ArgumentError) { semaphore.acquire(timeout: -1) }
    assert_raises(ArgumentError) { semaphore.acquire(color: 1) }
    assert_raises(ArgumentError) { semaphore.limit = 0 }
    assert_raises(TypeError) { semaphore.limit = 1.5 }

    assert_equal [1, 1], [semaphore.limit, semaphore.available]
  end

  def test_a_dump_tells_who_waits_for_it
    semaphore = Evented::Semaphore.new(1)
    semaphore.acquire
    dump = in_reactor do
      waiting = Evented { semaphore.acquire }
      Evented.dump.tap { waiting.cancel }
    end

    assert_match(/block Evented::Semaphore/, dump)
    assert_equal "#<Evented::Semaphore limit=1 available=0 waiting=0>", semaphore.inspect
  end

  def test_a_reactor_that_waits_for_it_in_vain_hears_of_it
    semaphore = Evented::Semaphore.new(1)
    output = output_of_ruby(<<~RUBY)
      semaphore = Evented::Semaphore.new(1)
      semaphore.acquire
      begin
        Evented { semaphore.acquire }
      rescue Evented::Deadlock => e
        puts e.message[/Evented::Semaphore/], semaphore.waiting
      end
    RUBY

    assert_equal 1, semaphore.available
    assert_equal "Evented::Semaphore\n0\n", output
  end

  def test_those_who_waited_in_the_parent_process_are_not_there_in_a_child
    output = output_of_ruby(<<~RUBY)
      semaphore = Evented::Semaphore.new(1)
      semaphore.acquire
      Thread.new { semaphore.acquire }
      Thread.pass until semaphore.waiting == 1
      Process.wait(fork { semaphore.release; p semaphore.available })
    RUBY

    assert_equal "1\n", output
  end

  def test_no_permit_is_lost_or_made_in_the_thick_of_it
    semaphore = Evented::Semaphore.new(3)
    counting = Mutex.new
    inside = most = 0
    work = lambda do
      semaphore.acquire(timeout: [nil, 0.0005].sample) do
        counting.synchronize { most = [most, inside += 1].max }
        Thread.pass
        sleep 0.0001 if rand < 0.1
      ensure
        counting.synchronize { inside -= 1 }
      end
    rescue Evented::TimeoutError
      nil
    end
    threads = Array.new(3) { Thread.new { 80.times { work.call } } }
    threads += Array.new(2) do
      Thread.new do
        in_reactor { 10.times { Evented { 8.times { work.call } }.then { |task| task.cancel if rand < 0.3 } } }
      end
    end
    threads << Thread.new { 40.times { |n| (semaphore.limit = (n % 3) + 1) && sleep(0.0005) } }
    harassed = Array.new(2) { Thread.new { loop { work.call } }.tap { |thread| thread.report_on_exception = false } }
    threads.each(&:join)
    harassed.each { |thread| outcome { thread.raise("stop").then { thread.join } } }

    semaphore.limit = 3
    assert_operator most, :<=, 3
    assert_equal [3, 0, 0], [semaphore.available, semaphore.waiting, inside]
  end

  def test_in_a_signal_handler_it_works_as_long_as_nobody_waits
    assert_equal "1\nThreadError\n[0, 1]\n", output_of_ruby(<<~RUBY)
      semaphore = Evented::Semaphore.new(1)
      semaphore.acquire
      done = Thread::Queue.new
      trap(:USR1) { done << (semaphore.release rescue $!.class) }
      Process.kill(:USR1, $$)
      puts done.pop.available
      semaphore.acquire
      waiting = Thread.new { semaphore.acquire }
      Thread.pass until semaphore.waiting == 1
      Process.kill(:USR1, $$)
      puts done.pop
      p [semaphore.available, semaphore.waiting]
    RUBY
  end
end
