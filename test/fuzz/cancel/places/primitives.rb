# frozen_string_literal: true

module Fuzz
  module Cancel
    # Evented's own things to wait for.
    module Primitives
      # A semaphore whose one permit is out: it comes back exactly once.
      class Acquiring < Place
        def prepare
          @semaphore = Evented::Semaphore.new(1)
          @semaphore.acquire
          @other = Fiber.schedule { @semaphore.acquire { sleep 0 } } if random.rand < 0.5
        end

        def wait = @semaphore.acquire(timeout: random.rand < 0.5 ? 60 : nil) { sleep 0 if random.rand < 0.5 }

        def complete
          @semaphore.release unless @released
          @released = true
        end

        def check(_exact)
          complete
          @semaphore.acquire(timeout: 5) { :usable }
          sleep 0 while @other&.alive?
          expect(@semaphore.available, 1, "permits")
        end
      end

      # A condition: a signal is passed on if its waiter is cancelled.
      class Conditional < Place
        def prepare
          @condition = Evented::Condition.new
          @heard = 0
          @other = Fiber.schedule { @condition.wait && @heard += 1 } if random.rand < 0.5
        end

        def wait
          @condition.wait(timeout: random.rand < 0.5 ? 60 : nil)
          @heard += 1
        end

        def complete = @condition.signal(true)

        def check(_exact)
          complete until @condition.waiting.zero?
          sleep 0 while @other&.alive?
        end
      end

      # A promise.
      class Promised < Place
        def prepare = @promise = Evented::Promise.new
        def wait = @promise.value
        def complete = @promise.try_resolve(:kept)

        def check(_exact)
          complete
          expect(@promise.value(timeout: 5), :kept, "the promise's value")
        end
      end

      # A queue with priorities.
      class Prioritised < Place
        def prepare = @queue = Evented::PriorityQueue.new
        def wait = @queue.pop
        def complete = @queue.push(1)

        def check(_exact)
          complete
          expect(@queue.pop, 1, "an item")
        end

        def close = @queue.close
      end

      # The end of another task.
      class Awaiting < Place
        def self.anywhere? = false

        def prepare
          @queue = Queue.new
          @task = Evented { @queue.pop }
        end

        def wait = @task.value
        def complete = @queue << :its_value

        def check(exact)
          return if @task.status == :cancelled && !exact # with its reactor

          complete
          expect(@task.value, :its_value, "the task's value")
        end

        def close = @task.cancel
      end

      # Children that are all to be done.
      class Mapping < Place
        def self.anywhere? = false
        def prepare = @queue = Queue.new
        def wait = Evented.map([1, 2, 3]) { @queue.pop(timeout: 60) }
        def complete = 3.times { @queue << 1 }

        def check(_exact)
          2.times { sleep 0 }
          expect(@queue.num_waiting, 0, "children that outlive the call")
        end
      end

      # Work on another thread.
      class Offloading < Place
        def self.weight = 3
        def prepare = @queue = Queue.new
        def wait = Evented.offload { @queue.pop(timeout: 60) }
        def complete = @queue << :done

        def check(_exact)
          complete
          expect(Evented.offload { 41 + 1 }, 42, "what the pool computes")
        end

        def close = @queue.close
      end

      # A pool of connections, the usual way: a queue, and `ensure`.
      class Pooled < Place
        def prepare
          @peers = []
          @pool = Queue.new
          2.times do
            one, other = UNIXSocket.pair
            @peers << other
            @pool << one
          end
        end

        def wait
          connection = @pool.pop
          connection.write("?")
          connection.readpartial(1)
          returned = connection
        ensure
          # In this order: from 3.4 on closing suspends, and a fiber that was killed goes on with nothing behind that.
          @pool << (returned || replacement) if connection
          connection&.close unless returned
        end

        def complete
          @peers.each do |peer|
            peer.closed? || peer.write_nonblock("!", exception: false)
          rescue Errno::EPIPE
            nil # a connection that was given up
          end
        end

        def check(_exact)
          expect(@pool.size, 2, "connections in the pool")
          2.times do
            connection = @pool.pop
            connection.write("?")
            expect(connection.closed?, false, "a connection in the pool is closed")
            @pool << connection
          end
        end

        def close
          @peers.each(&:close)
          @pool.pop.close until @pool.empty?
        end

        private

        def replacement
          one, other = UNIXSocket.pair
          @peers << other
          one
        end
      end
    end
  end
end
