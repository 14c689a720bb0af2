# frozen_string_literal: true

require "monitor"
require "timeout"

module Fuzz
  module Cancel
    # Places where nothing but other fibers and threads are waited for.
    module Waiting
      # `sleep`.
      class Sleeping < Place
        def wait
          @fiber = Fiber.current
          random.rand < 0.5 ? sleep : sleep(60)
        ensure
          @fiber = nil
        end

        def complete = @fiber && @scheduler&.unblock(self, @fiber)
        def prepare = @scheduler = Fiber.scheduler
        def check(_exact) = sleep(0)
      end

      # A short sleep, which ends about when the weapon hits.
      class Napping < Place
        def wait = sleep(random.rand * 0.0005)
      end

      # Letting others run.
      class Yielding < Place
        def wait = random.rand(20).times { sleep 0 }
      end

      # A mutex that somebody has: the fiber that prepares it, or another thread.
      class Locking < Place
        def prepare
          @mutex = Mutex.new
          @unlock = Queue.new
          @locked = Queue.new
          @holder = random.rand < 0.1 ? Thread.new { hold } : Fiber.schedule { hold }
          @locked.pop
          @others = Array.new(random.rand(3)) { Fiber.schedule { @mutex.synchronize { sleep 0 } } }
        end

        def wait = @mutex.synchronize { random.rand < 0.5 ? sleep(0) : :in }
        def complete = @unlock << true

        def check(_exact)
          complete
          Timeout.timeout(5) { @mutex.synchronize { :usable } }
          expect(@mutex.locked?, false, "a mutex that everybody has left is locked")
        end

        def close
          @unlock.close
          @holder.join if @holder.is_a?(Thread)
        end

        private

        def hold
          @mutex.synchronize do
            @locked << true
            @unlock.pop
          end
        end
      end

      # `Queue#pop`: what was pushed comes out once, also if the one that was woken for it was cancelled.
      class Popping < Place
        def prepare
          @queue = random.rand < 0.5 ? Queue.new : Evented::Queue.new
          @got = []
          @other = Fiber.schedule { (item = @queue.pop) && (@got << item) } if random.rand < 0.5
        end

        def wait = @got << (random.rand < 0.5 ? @queue.pop : @queue.pop(timeout: 60))

        def complete
          @pushed = (@pushed || 0) + 1
          @queue << @pushed
        end

        def check(exact)
          2.times { complete }
          3.times { sleep 0 }
          broken!("an item lies there, and a fiber waits for it") if @queue.num_waiting.positive? && !@queue.empty?
          @got << @queue.pop until @queue.empty?
          expect(@got.sort.uniq, @got.sort, "items came twice")
          expect(@got.sort, [*1..@pushed], "items") if exact
        end

        def close = @queue.close
      end

      # `SizedQueue#push` at its limit.
      class Pushing < Place
        def prepare
          @queue = random.rand < 0.5 ? SizedQueue.new(1) : Evented::LimitedQueue.new(1)
          @queue << 0
          @pushed = [0]
          @popped = []
          @other = Fiber.schedule { push(2) } if random.rand < 0.5
        end

        def wait = push(1)
        def complete = @popped << @queue.pop(timeout: 0)

        def check(exact)
          until @queue.empty? && @queue.num_waiting.zero?
            complete
            2.times { sleep 0 }
          end
          popped = @popped.compact
          expect(popped.uniq, popped, "items came twice")
          expect(popped.sort, @pushed.sort, "items") if exact
        end

        def close = @queue.close

        private

        def push(item)
          @queue.push(item)
          @pushed << item
        rescue ClosedQueueError
          nil
        end
      end

      # `ConditionVariable#wait`: one signal a waiter, and none is lost.
      class Signalled < Place
        def prepare
          @mutex = Mutex.new
          @condition = ConditionVariable.new
          @there = 0
          @taken = 0
          @other = Fiber.schedule { take } if random.rand < 0.5
        end

        def wait = take(random.rand < 0.5 ? 60 : nil)

        def complete
          @mutex.synchronize do
            @there += 1
            @condition.signal
          end
        end

        def check(_exact)
          expect(@mutex.locked?, false, "a mutex that everybody has left is locked")
          complete if @other
          wait_a_little { @other.nil? || !@other.alive? } or broken!("a signal was lost")
          complete
          Timeout.timeout(5) { take }
        end

        def close
          @mutex.synchronize do
            @there += 2
            @condition.broadcast
          end
        end

        private

        def take(limit = nil)
          @mutex.synchronize do
            @condition.wait(@mutex, *limit) while @there.zero?
            @there -= 1
            @taken += 1
          end
        end

        def wait_a_little
          limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 5
          until (value = yield)
            return value if Process.clock_gettime(Process::CLOCK_MONOTONIC) > limit

            sleep 0
          end
          true
        end
      end

      # A monitor and its condition.
      class Monitored < Place
        def prepare
          @monitor = Monitor.new
          @condition = @monitor.new_cond
          @there = false
        end

        def wait = @monitor.synchronize { @condition.wait_until { @there } }

        def complete
          @monitor.synchronize do
            @there = true
            @condition.broadcast
          end
        end

        def check(_exact)
          complete
          Timeout.timeout(5) { wait }
          expect(@monitor.mon_locked?, false, "a monitor that everybody has left is locked")
        end
      end

      # `Thread#join` and `Thread#value`.
      class Joining < Place
        def self.weight = 5

        def prepare
          @end = end_ = Queue.new
          @thread = Thread.new { end_.pop && :its_value }
        end

        def wait = random.rand < 0.5 ? @thread.join : @thread.value
        def complete = @end << true

        def check(_exact)
          complete
          expect(@thread.value, :its_value, "the thread's value")
        end

        def close
          @end << true
          @thread.join
        end
      end

      # Timeouts inside of each other.
      class TimedOut < Place
        def prepare = @queue = Queue.new

        def wait
          Timeout.timeout(60) { Timeout.timeout(random.rand < 0.5 ? 0.0003 : 50) { @queue.pop } }
        rescue Timeout::Error
          :in_time
        end

        def complete = @queue << true
        def check(_exact) = expect(Timeout.timeout(5) { @queue.push(2) && @queue.pop }.nil?, false, "the queue")
      end

      # An Enumerator that waits inside.
      class Enumerating < Place
        def prepare = @queue = Queue.new
        def wait = Enumerator.new { |items| items << @queue.pop }.next
        def complete = @queue << true

        def check(_exact)
          complete
          expect(@queue.pop, true, "the queue")
        end
      end

      # Setting oneself aside for a fiber that one starts.
      class Starting < Place
        def wait
          random.rand(1..5).times { Fiber.schedule { random.rand < 0.5 ? sleep(0) : sleep(0.0002) } }
          :started
        end
      end
    end
  end
end
