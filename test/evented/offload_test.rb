# frozen_string_literal: true

require "helper"
require "support/ruby_process"
require "support/scheduled"

class OffloadTest < Minitest::Test
  class Boom < StandardError; end

  def teardown
    Evented.offload_threads = 20
  end

  # Who starts many fibers in a turn lets others go first, and so can be raised in just there.
  def test_one_that_is_interrupted_before_it_has_asked_for_a_thread_holds_nobody_up
    (10..20).each do |count|
      result = nil
      scheduled do
        fiber = Fiber.schedule do
          result = outcome do
            count.times { Fiber.schedule { :nothing } }
            Evented.offload { :its_value }
          end
        end
        fiber.raise(IOError, "at the worst moment") if fiber.alive?
      end

      assert(result == :its_value || result.is_a?(IOError), result.inspect)
    end
  end

  def test_the_block_runs_on_another_thread_while_the_others_go_on
    release = Queue.new
    in_reactor do
      task = Evented { Evented.offload { release.pop && Thread.current } }
      turns = 0
      3.times { sleep(0) && (turns += 1) }
      assert_equal [3, :waiting], [turns, task.status]
      release << true

      assert_equal "evented-offload", task.value.name
    end
  end

  def test_what_the_block_raises_is_raised_here
    in_reactor do
      error = assert_raises(Boom) { Evented.offload { raise Boom, "it failed" } }
      assert_match(/offload_test/, error.backtrace.first)
      assert_raises(NotImplementedError) { Evented.offload { raise NotImplementedError } }
      assert_raises(ArgumentError) { Evented.offload { throw :nowhere } }

      assert_equal(:fine, Evented.offload { :fine })
    end
  end

  def test_outside_of_a_reactor_it_just_runs_the_block
    assert_same(Thread.current, Evented.offload { Thread.current })
    in_reactor { assert_same(*Thread.new { [Evented.offload { Thread.current }, Thread.current] }.value) }
  end

  def test_inside_another_one_it_runs_in_place
    Evented.offload_threads = 1
    in_reactor do
      assert_same(*Evented.offload { [Evented.offload { Thread.current }, Thread.current] })
      assert_same(*Evented.offload { in_reactor { [Evented.offload { Thread.current }, Thread.current] } })
    end
  end

  def test_in_a_scheduler_that_was_set_by_hand
    assert_equal("evented-offload", scheduled { Evented.offload { Thread.current.name } })
  end

  def test_two_reactors_share_the_threads
    name = -> { Evented.offload { Thread.current.name } }
    threads = Array.new(2) { Thread.new { in_reactor { name.call } } }

    assert_equal %w[evented-offload evented-offload], threads.map(&:value)
  end

  def test_the_block_has_the_storage_of_the_fiber_and_can_not_change_it
    in_reactor do
      Fiber[:request] = 7
      seen = Evented.offload { [Fiber[:request], Evented::Task.current?, Fiber[:request] = 8] }

      assert_equal [[7, nil, 8], 7], [seen, Fiber[:request]]
      Fiber[:request] = nil
      assert_nil(Evented.offload { Fiber[:request] })
    end
  end

  def test_a_cancellation_comes_through_in_the_fiber_at_once_and_in_the_block
    release = Queue.new
    seen = Queue.new
    in_reactor do
      task = Evented do
        Evented.offload do
          seen << :begun
          sleep
        ensure
          seen << $!
          release.pop
        end
      end
      wait_until { !seen.empty? }
      seen.pop
      task.cancel("no longer needed")

      assert_equal :cancelled, task.ended
      assert_same task.result, seen.pop
      release << true
    end
  end

  def test_the_reactor_does_not_end_before_the_block
    ended = false
    in_reactor do
      begun = Queue.new
      task = Evented do
        Evented.offload do
          begun << true
          sleep
        ensure
          sleep 0.01
          ended = true
        end
      end
      wait_until { !begun.empty? }
      task.cancel
      task.ended
    end

    assert ended
  end

  def test_a_timeout_ends_it
    seen = Queue.new
    in_reactor do
      assert_raises(Evented::TimeoutError) do
        Evented.timeout(0.01) do
          Evented.offload do
            sleep
          rescue StandardError
            flunk
          ensure
            seen << :cleaned
          end
        end
      end
    end

    assert_equal :cleaned, seen.pop(timeout: 5)
  end

  def test_a_killed_fiber_ends_the_block
    seen = Queue.new
    in_reactor do
      task = Evented do
        Evented.offload do
          seen << :begun
          sleep
        ensure
          seen << $!.message
        end
      end
      seen.pop
      task.fiber.kill
      task.ended
    end

    assert_equal "cancelled: its fiber was killed", seen.pop
  end

  def test_a_shield_protects_it
    in_reactor do
      release = Queue.new
      task = Evented { Evented.shield { Evented.offload { release.pop } } }
      task.cancel
      sleep 0
      release << :whole

      assert_equal :whole, task.value
    end
  end

  def test_a_task_that_has_cancelled_itself_hears_of_it_there
    in_reactor do
      task = Evented { |me| me.cancel && Evented.offload { sleep } }

      assert_equal :cancelled, task.ended
    end
  end

  def test_a_block_that_has_not_begun_is_dropped
    Evented.offload_threads = 1
    seen = []
    in_reactor do
      release = Queue.new
      busy = Evented { Evented.offload { release.pop } }
      task = Evented { Evented.offload { seen << :began } }
      task.cancel
      assert_equal :cancelled, task.ended
      release << true
      busy.wait
      Evented.offload { seen << :next }
    end

    assert_equal [:next], seen
  end

  def test_an_interruption_that_comes_too_late_hits_nobody_else
    Evented.offload_threads = 2
    outcomes = in_reactor do
      200.times.map do |n|
        task = Evented { Evented.offload { Thread.pass if n.odd? } }
        other = Evented { Evented.offload { 20.times { Thread.pass } && :whole } }
        rand(3).times { sleep 0 }
        sleep 0.0002 if (n % 3).zero?
        task.cancel
        task.ended
        other.value
      end
    end

    assert_equal [:whole], outcomes.uniq
  end

  def test_a_block_whose_thread_is_killed
    in_reactor do
      assert_match(/was killed/, assert_raises(Evented::Error) { Evented.offload { Thread.exit } }.message)
      assert_equal(:fine, Evented.offload { :fine })
    end
  end

  def test_a_reactor_that_has_only_this_to_wait_for_is_not_taken_for_a_deadlock
    output = output_of_ruby(<<~RUBY)
      Evented do
        done = Queue.new
        Evented { p done.pop }
        sleep 0.01
        Evented { Evented.offload { 20.times { Thread.pass }; IO.select(nil, nil, nil, 0.05); done << :came } }
      end
      begin
        Evented { Queue.new.pop }
      rescue Evented::Deadlock
        puts "deadlock"
      end
    RUBY

    assert_equal ":came\ndeadlock\n", output
  end

  def test_it_takes_real_time_also_in_virtual_time
    value = Evented::Testing.virtual_time do
      Evented.timeout(60) { Evented.offload { IO.select(nil, nil, nil, 0.005) || :in_time } }
    end

    assert_equal :in_time, value
  end

  def test_the_number_of_threads_can_be_changed_while_they_work
    assert_equal 20, Evented.offload_threads
    in_reactor do
      Evented.offload_threads = 2
      inside = Queue.new
      release = Queue.new
      tasks = Array.new(5) { Evented { Evented.offload { (inside << true) && release.pop } } }
      wait_until { inside.size == 2 }
      Evented.offload_threads = 4
      wait_until { inside.size == 4 }
      Evented.offload_threads = 1
      5.times { release << :whole }
      assert_equal [:whole], tasks.map(&:value).uniq

      assert_equal(:fine, Evented.offload { :fine })
    end
  end

  def test_threads_that_are_too_many_go
    output = output_of_ruby(<<~RUBY)
      Evented do
        release = Queue.new
        tasks = Array.new(5) { Evented { Evented.offload { release.pop } } }
        sleep 0.001 until release.num_waiting == 5
        workers = Thread.list - [Thread.current]
        2.times { release << 1 }
        sleep 0.001 until tasks.count(&:alive?) == 3
        Evented.offload_threads = 2
        sleep 0.001 until workers.count(&:alive?) == 3
        3.times { release << 1 }
        tasks.each(&:wait)
        sleep 0.001 until workers.count(&:alive?) == 2
        p Evented.offload { workers.count(&:alive?) }
      end
    RUBY

    assert_equal "2\n", output
  end

  def test_a_forked_child_has_threads_of_its_own
    output = output_of_ruby(<<~RUBY)
      Evented.offload_threads = 3
      Evented do
        Evented.offload { :parent }
        Process.wait(fork { p Evented.offload { Thread.current.name }, Evented.offload_threads })
      end
      Process.wait(fork { Evented { p Evented.offload { :child } } })
    RUBY

    assert_equal %("evented-offload"\n3\n:child\n), output
  end

  def test_a_process_ends_while_its_threads_wait_and_work
    output = output_of_ruby(<<~RUBY)
      Evented do
        3.times { Evented { Evented.offload { :work } } }
      end
      puts "ended"
      Thread.new { Evented { Evented.offload { sleep } } }
      sleep 0.01
    RUBY

    assert_equal "ended\n", output
  end

  def test_a_dump_tells
    in_reactor do
      task = Evented { Evented.offload { sleep } }
      assert_match(/block offload/, Evented.dump)
      task.cancel
    end
  end

  def test_bad_input_is_refused
    assert_raises(ArgumentError) { Evented.offload }
    assert_raises(ArgumentError) { Evented.offload(1) { flunk } }
    assert_raises(TypeError) { Evented.offload_threads = "3" }
    assert_raises(TypeError) { Evented.offload_threads = nil }
    [0, -1].each { |number| assert_raises(ArgumentError) { Evented.offload_threads = number } }

    assert_equal 20, Evented.offload_threads
  end
end
