# frozen_string_literal: true

require "helper"
require "socket"
require "support/scheduled"
require "timeout"

# Fiber#raise and Fiber#kill on a fiber that waits: its wait is over, whoever raised goes on, and what was waited for
# can still be used.
class CancelTest < Minitest::Test
  class Stop < StandardError; end

  # What is waited for, how a fiber waits for it, and how to show that it still works.
  Wait = Struct.new(:subject, :wait, :use)

  WAITS = {
    sleep: Wait.new(-> {}, ->(_) { sleep }, ->(_) { sleep(0.001) || true }),
    sleep_with_a_time: Wait.new(-> {}, ->(_) { sleep 60 }, ->(_) { sleep(0.001) || true }),
    yield: Wait.new(-> {}, ->(_) { loop { sleep 0 } }, ->(_) { sleep(0) || true }),
    mutex: Wait.new(-> { Mutex.new.tap { |mutex| Fiber.schedule { mutex.synchronize { sleep 0.01 } } } },
                    lambda(&:lock), ->(mutex) { mutex.synchronize { true } }),
    queue: Wait.new(-> { Queue.new }, lambda(&:pop), ->(queue) { (queue << true) && queue.pop }),
    condition: Wait.new(-> { [ConditionVariable.new, Mutex.new] },
                        ->((condition, mutex)) { mutex.synchronize { condition.wait(mutex) } },
                        ->((_, mutex)) { mutex.synchronize { true } }),
    thread: Wait.new(-> { Thread.new { sleep } }, lambda(&:join), ->(thread) { thread.kill.join }),
    io_wait: Wait.new(-> { IO.pipe }, ->((reader, _)) { reader.wait_readable },
                      ->((reader, writer)) { writer.write("x") && reader.readpartial(1) == "x" }),
    pipe_read: Wait.new(-> { IO.pipe }, ->((reader, _)) { reader.readpartial(10) },
                        ->((reader, writer)) { writer.write("x") && reader.readpartial(10) == "x" }),
    pipe_write: Wait.new(-> { IO.pipe }, ->((_, writer)) { writer.write("x" * 200_000) },
                         ->((reader, writer)) { reader.readpartial(200_000) && writer.syswrite("y") == 1 }),
    socket_read: Wait.new(-> { UNIXSocket.pair }, ->((one, _)) { one.readpartial(10) },
                          ->((one, other)) { other.write("x") && one.readpartial(10) == "x" }),
    socket_write: Wait.new(-> { UNIXSocket.pair }, ->((one, _)) { one.write("x" * 2_000_000) },
                           ->((one, other)) { other.readpartial(2_000_000) && one.syswrite("y") == 1 }),
    accept: Wait.new(-> { TCPServer.new("127.0.0.1", 0) }, lambda(&:accept),
                     lambda do |server|
                       client = TCPSocket.new("127.0.0.1", server.local_address.ip_port)
                       server.accept.local_address.ip_port == client.remote_address.ip_port
                     end),
    select: Wait.new(-> { [IO.pipe, IO.pipe] }, ->(pipes) { IO.select(pipes.map(&:first), [], []) },
                     lambda do |pipes|
                       pipes.last.last.write("x")
                       IO.select(pipes.map(&:first), [], []).first == [pipes.last.first]
                     end),
    process: Wait.new(-> { IO.pipe.then { |told, tell| [spawn("cat", in: told), tell] } },
                      ->((pid, _)) { Process.wait(pid) },
                      ->((pid, tell)) { tell.close || Process.wait(pid) == pid }),
    timeout: Wait.new(-> { Queue.new }, ->(queue) { Timeout.timeout(60) { Timeout.timeout(50) { queue.pop } } },
                      ->(queue) { Timeout.timeout(60) { (queue << true) && queue.pop } }),
    enumerator: Wait.new(-> { IO.pipe },
                         ->((reader, _)) { Enumerator.new { |lines| lines << reader.readpartial(10) }.next },
                         ->((reader, writer)) { writer.write("x") && reader.readpartial(10) == "x" }),
    new_fiber: Wait.new(-> {}, ->(_) { Fiber.schedule { sleep(0.001) } && sleep }, ->(_) { Fiber.schedule { 1 } })
  }.freeze

  WAITS.each do |name, wait|
    define_method("test_raise_in_a_fiber_that_waits_for_#{name}") do
      scheduled do
        subject = wait.subject.call
        result = nil
        fiber = parked { result = outcome { wait.wait.call(subject) } }
        went_on = false
        raiser = Fiber.schedule { (fiber.raise(Stop, "now") && (went_on = true)) || (went_on = true) }
        wait_until { result && went_on }

        assert_equal [Stop, "now"], [result.class, result.message]
        wait_until { !fiber.alive? && !raiser.alive? }
        assert wait.use.call(subject)
      end
    end

    define_method("test_kill_a_fiber_that_waits_for_#{name}") do
      scheduled do
        subject = wait.subject.call
        cleaned_up = false
        fiber = parked do
          wait.wait.call(subject)
        ensure
          cleaned_up = true
        end
        went_on = false
        killer = Fiber.schedule { fiber.kill && (went_on = true) }
        wait_until { cleaned_up && went_on }

        wait_until { !fiber.alive? && !killer.alive? }
        assert wait.use.call(subject)
      end
    end

    define_method("test_the_thread_is_killed_while_a_fiber_waits_for_#{name}") do
      parked = Queue.new
      cleaned_up = Queue.new
      thread = Thread.new do
        Fiber.set_scheduler(scheduler = Evented::Scheduler.new)
        Fiber.schedule do
          subject = wait.subject.call
          Fiber.schedule { sleep(0.001) && (parked << true) }
          wait.wait.call(subject)
        ensure
          cleaned_up << true
        end
        scheduler.run
      end
      parked.pop
      thread.kill
      assert thread.join(10)
      assert cleaned_up.pop(timeout: 5)
    end
  end

  def test_a_fiber_may_wait_again_while_it_is_raised_in
    scheduled do
      one, other = UNIXSocket.pair
      order = []
      fiber = parked do
        one.readpartial(1)
      rescue Stop
        order << :rescued
        sleep 0.001
        order << one.readpartial(1)
      end
      fiber.raise(Stop)
      order << :raiser
      other.write("x")
      wait_until { !fiber.alive? }

      assert_equal([:rescued, "x", :raiser], order.sort_by { |event| %i[rescued].include?(event) ? 0 : event.size })
    end
  end

  def test_raising_in_a_fiber_that_is_about_to_go_on
    scheduled do
      queue = Queue.new
      results = []
      fiber = parked { results << outcome { queue.pop } << outcome { sleep 0.001 } }
      queue << :there
      fiber.raise(Stop)
      wait_until { results.size == 2 }

      assert_equal [Stop, 0], [results.first.class, results.last]
      assert_equal 1, queue.size
    end
  end

  def test_raising_in_many_fibers_of_one_descriptor
    scheduled do
      one, other = UNIXSocket.pair
      results = []
      fibers = Array.new(20) { parked { results << outcome { one.readpartial(1) } } }
      fibers.each { |fiber| fiber.raise(Stop) }
      wait_until { results.size == 20 }

      assert_equal [Stop], results.map(&:class).uniq
      other.write("x")
      assert_equal "x", one.readpartial(1)
    end
  end

  # Nothing may write into memory that somebody else has by now: the kernel has let go of it before the fiber goes on.
  def test_the_memory_of_a_cancelled_read_is_not_written_to_later
    scheduled do
      50.times do
        one, other = UNIXSocket.pair
        string = +""
        fiber = parked { outcome { one.readpartial(4096, string) } }
        fiber.raise(Stop)
        wait_until { !fiber.alive? }
        string = nil
        others = Array.new(50) { "." * 4096 }
        other.write("x" * 4096)

        assert_equal 4096, one.readpartial(4096).count("x")
        assert(others.all? { |text| text.count(".") == 4096 })
      ensure
        [one, other].each(&:close)
      end
    end
  end
end
