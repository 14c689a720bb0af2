# frozen_string_literal: true

require "helper"
require "socket"
require "support/ruby_process"
require "support/scheduled"
require "support/stress"

# What has ended, was closed or is abandoned gives its memory and its descriptors back. `rake stress:memory` does much
# more of it.
class MemoryTest < Minitest::Test
  TIME_LIMIT = Stress::LONG ? 3600 : 60
  # What the process may grow by, in bytes, once everything has been done for the first time: the heap's own play, which
  # is larger after a thousand other tests. A fiber has 14 KB at least; the long form would see one word that is lost
  # each time.
  PLAY = (Stress::LONG ? 8 : 32) << 20

  def setup
    skip "only Linux tells what a process has" unless File.exist?("/proc/self/statm")
  end

  def test_fibers_that_have_ended_leave_nothing
    assert_flat(at_length(20_000, 1_000_000), "fibers") do |times|
      scheduled { times.times { |n| Fiber.schedule { sleep(0) if n.even? } } }
    end
  end

  def test_tasks_that_have_ended_leave_nothing
    assert_flat(at_length(20_000, 1_000_000), "tasks") do |times|
      in_reactor { times.times { |n| n.even? ? Evented { sleep 0 }.wait : Evented { n } } }
    end
  end

  def test_fibers_that_leave_traces_leave_nothing
    assert_flat(at_length(5_000, 100_000), "tasks with fiber-locals") do |times|
      in_reactor { times.times { Evented { (Thread.current[:trace] = +"kept") && sleep(0) }.wait } }
    end
  end

  def test_waits_that_were_given_up_leave_nothing
    assert_flat(at_length(2_000, 200_000), "cancelled reads") do |times|
      scheduled do
        one, _other = UNIXSocket.pair
        times.times do
          fiber = Fiber.schedule { outcome { one.readpartial(1000) } }
          fiber.raise(ArgumentError)
        end
      end
    end
  end

  def test_schedulers_that_were_closed_leave_nothing
    assert_flat(at_length(200, 10_000), "schedulers closed") do |times|
      times.times { scheduled { sleep 0 } }
    end
  end

  def test_reactors_that_ran_one_after_the_other_leave_nothing
    assert_flat(at_length(200, 10_000), "reactors") do |times|
      times.times { Evented.run { Evented { sleep 0 }.wait } }
    end
  end

  def test_schedulers_that_were_never_closed_leave_nothing
    assert_flat(at_length(200, 10_000), "schedulers forgotten") do |times|
      times.times { Evented::Scheduler.new }
    end
  end

  # Ruby knows nothing of the descriptors, so nothing makes it collect in time.
  def test_schedulers_that_nobody_closes_do_not_use_all_descriptors_up
    assert_equal "done\n", output_of_ruby(<<~RUBY)
      Process.setrlimit(:NOFILE, 100, Process.getrlimit(:NOFILE).last)
      500.times { Evented::Scheduler.new }
      Evented { sleep 0 }
      puts "done"
    RUBY
  end

  def test_fibers_that_were_abandoned_leave_nothing
    abandon(at_length(1_000, 10_000))
    3.times { GC.start }
    before = resident
    abandon(at_length(1_000, 10_000))
    3.times { GC.start }

    assert_operator resident - before, :<, PLAY
  end

  private

  # Does a tenth of it again and again: what the first rounds leave is what there may be.
  #
  # @yieldparam times [Integer]
  def assert_flat(times, what, &)
    3.times { settled(times / 10, &) }
    memory, descriptors = settled(times / 10, &)
    10.times { settled(times / 10, &) }
    after, descriptors_after = settled(0, &)
    tell "#{times} #{what}: #{memory >> 10} KiB before, #{after >> 10} KiB after, " \
         "descriptors #{descriptors} before, #{descriptors_after} after"

    assert_operator after - memory, :<, PLAY, "bytes more in memory"
    assert_operator descriptors_after - descriptors, :<, 10, "descriptors more"
  end

  # @return [Array(Integer, Integer)] bytes in memory and descriptors, afterwards
  def settled(times)
    yield times
    3.times { GC.start }
    [resident, Dir.children("/proc/self/fd").size]
  end

  # A thread that ends while its fibers will not.
  def abandon(count)
    _, errors = capture_io { outcome { thread_with_deaf_fibers(count).join } }

    assert_match(/\A.*#{count} fibers ignored being cancelled and are killed\n\z/, errors)
  end

  def thread_with_deaf_fibers(count)
    Thread.new do
      Thread.current.report_on_exception = false
      Fiber.set_scheduler(Evented::Scheduler.new)
      count.times { Fiber.schedule { loop { outcome { sleep } } } }
      raise "the thread ends"
    end
  end
end
