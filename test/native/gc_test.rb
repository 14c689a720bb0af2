# frozen_string_literal: true

require "helper"
require "socket"
require "support/io_buffer"
require "support/scheduled"
require "support/stress"
require "timeout"
require "weakref"

# The collector runs as often as it can, over every kind of wait; and it moves what it may move.
class GCTest < Minitest::Test
  # What a fiber waits for, and what ends the wait. Each gives "ok" in the end.
  WAITS = {
    sleep: -> { [-> { sleep(0.001) && "ok" }, -> {}] },
    yield: -> { [-> { sleep(0) && "ok" }, -> {}] },
    queue: -> { Queue.new.then { |queue| [-> { queue.pop }, -> { queue << "ok" }] } },
    mutex: lambda do
      mutex = Mutex.new
      Fiber.schedule { mutex.synchronize { sleep 0.001 } }
      [-> { mutex.synchronize { "ok" } }, -> {}]
    end,
    pipe: -> { IO.pipe.then { |reader, writer| [-> { reader.readpartial(10) }, -> { writer.write("ok") }] } },
    socket: -> { UNIXSocket.pair.then { |one, other| [-> { one.readpartial(10) }, -> { other.write("ok") }] } },
    write: lambda do
      one, other = UNIXSocket.pair
      text = "x" * 500_000
      [-> { one.write(text) && "ok" }, -> { other.read(text.bytesize) }]
    end,
    buffer: lambda do
      one, other = UNIXSocket.pair
      [-> { IO::Buffer.new(4).then { |buffer| buffer.read(one, 2) && buffer.get_string(0, 2) } },
       -> { other.write("ok") }]
    end,
    select: -> { IO.pipe.then { |r, w| [-> { IO.select([r], [], [])[0][0].readpartial(9) }, -> { w.write("ok") }] } },
    throw_away: lambda do
      reader, writer = IO.pipe
      [-> { IO.for_fd(reader.fileno, autoclose: false).wait_readable && reader.readpartial(9) },
       -> { writer.write("ok") }]
    end,
    process: -> { [-> { system("true") && "ok" }, -> {}] },
    backticks: -> { [-> { `printf ok` }, -> {}] },
    timeout: -> { [-> { Timeout.timeout(0.001) { sleep } }, -> {}] },
    resolve: -> { [-> { Addrinfo.tcp("localhost", 80) && "ok" }, -> {}] },
    offload: -> { [-> { Fiber.scheduler.blocking_operation_wait(-> { "work" }) || "ok" }, -> {}] },
    task: -> { Evented.run { Evented { sleep 0.001 } }.then { |task| [-> { task.wait && "ok" }, -> {}] } },
    worker: -> { [-> { Evented.run { Array.new(3) { Evented { sleep 0 } }.each(&:wait) } && "ok" }, -> {}] },
    cancelled: -> { cancelled_task { Evented { sleep } } },
    shielded: -> { cancelled_task { Evented { Evented.shield(timeout: 0.001) { sleep } } } },
    virtual_time: -> { [-> { Evented::Testing.virtual_time { sleep(1) && Evented.dump && "ok" } }, -> {}] },
    raised: lambda do
      fiber = Fiber.schedule do
        Queue.new.pop
      rescue Timeout::Error
        "raised"
      end
      [-> { sleep(0.001) && "ok" }, -> { fiber.raise(Timeout::Error) }]
    end
  }.freeze

  def self.cancelled_task(&start)
    task = nil
    [-> { Evented.run { (task = start.call).ended && task.result.reason } }, -> { task.cancel("ok") }]
  end

  WAITS.each do |name, wait|
    define_method("test_stress_while_a_fiber_waits_for_#{name}") do
      assert_equal(["ok"] * 3, under_stress { run_waits(wait) })
    end

    define_method("test_compaction_while_a_fiber_waits_for_#{name}") do
      skip "this Ruby can't compact" unless GC.respond_to?(:compact)

      assert_equal ["ok"] * 3, run_waits(wait) { GC.compact }
    end
  end

  def test_everything_is_verified_after_a_compaction_with_parked_fibers
    skip "this Ruby can't compact" unless GC.respond_to?(:verify_compaction_references)

    scheduled do
      one, other = UNIXSocket.pair
      queue = Queue.new
      got = []
      10.times { parked { got << queue.pop } }
      parked { got << one.readpartial(10) }
      parked { sleep(0.001) && (got << "slept") }
      GC.verify_compaction_references(toward: :empty, expand_heap: true)
      10.times { |n| queue << n }
      other.write("read")
      wait_until { got.size == 12 }

      assert_equal [*0..9, "read", "slept"], got.sort_by(&:to_s)
    end
  end

  def test_fibers_that_only_the_reactor_knows_are_kept
    done = 0
    scheduled do
      100.times { Fiber.schedule { sleep(0.01) && (done += 1) } }
      10.times { GC.start && sleep(0.001) }
    end

    assert_equal 100, done
  end

  def test_twenty_thousand_parked_fibers_survive_all_collections
    count = at_length(3_000, 20_000)
    woken = scheduled do
      queues = Array.new(count) { Queue.new }
      plain = minor_collection_with_plain_fibers(at_length(1, count))
      values = []
      queues.each { |queue| Fiber.schedule { values << [queue.pop, +"text"].join } }
      tell "a minor collection takes #{minor_collection} ms with #{count} parked fibers, #{plain} ms with as many " \
           "that no scheduler knows of"
      10.times { GC.start(full_mark: false) && sleep(0) }
      3.times { GC.start && GC.compact }
      queues.each_with_index { |queue, n| queue << n.to_s }
      wait_until(deadline: 60) { values.size == count }
      values
    end

    assert_equal Array.new(count) { |n| "#{n}text" }.sort, woken.sort
  end

  # A few may stay: the collector takes whatever looks like an address on a stack for one.
  def test_schedulers_that_are_gone_are_collected
    theirs = Array.new(50) { scheduled { |scheduler| sleep(0) && WeakRef.new(scheduler) } }
    wait_until(deadline: 20) { GC.start || theirs.count(&:weakref_alive?) < 5 }
  end

  def test_the_collector_runs_on_another_thread_while_the_reactor_sleeps
    over = false
    collector = Thread.new { GC.start until over }
    got = scheduled do
      one, other = UNIXSocket.pair
      Fiber.schedule { 20.times { sleep(0.001) && other.write("x") } }
      Array.new(20) { one.readpartial(1) }.join
    end
    over = true
    collector.join

    assert_equal "x" * 20, got
  end

  private

  # Ruby looks through the stack of every fiber in every minor collection, whoever it belongs to.
  def minor_collection_with_plain_fibers(count)
    fibers = Array.new(count) { Fiber.new(blocking: true) { Fiber.yield } }.each(&:resume)
    minor_collection.tap { fibers.each(&:resume) }
  end

  # @return [Float] milliseconds of CPU time, the middle of a few
  def minor_collection
    3.times { GC.start }
    Array.new(11) do
      start = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
      GC.start(full_mark: false)
      ((Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - start) * 1000).round(2)
    end.sort[5]
  end

  # Three fibers wait for three of the same, the block is called, then each wait is ended.
  def run_waits(wait)
    scheduled do
      results = []
      pairs = Array.new(3) { wait.call }
      pairs.map(&:first).each { |start| Fiber.schedule { results << outcome { start.call } } }
      yield if block_given?
      pairs.map(&:last).each(&:call)
      wait_until(deadline: 20) { results.size == 3 }
      results.map { |result| result.is_a?(Timeout::Error) ? "ok" : result }
    end
  end

  def under_stress
    GC.stress = true
    yield
  ensure
    GC.stress = false
  end
end
