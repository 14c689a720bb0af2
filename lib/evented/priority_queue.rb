# frozen_string_literal: true

module Evented
  # A queue that gives out what has the lowest number first and, among equals, what came first. For fibers of any
  # reactor and for plain threads, with the methods of Ruby's queue. In a signal handler Ruby lets nobody lock: push
  # to an {Evented::Queue} there.
  #
  # @example
  #   jobs = Evented::PriorityQueue.new
  #   jobs.push("can wait", 10)
  #   jobs.push("urgent", 1)
  #   jobs.pop # => "urgent"
  class PriorityQueue
    include Queuing

    def initialize
      # A binary heap of [priority, number, item]: none is greater than the two at twice its index and one or two more.
      @heap = []
      # How many have come.
      @number = 0
      # Those who wait, as the keys of a Hash; nobody does unless the heap is empty.
      @waiting = {}.compare_by_identity
      @closed = false
      @lock = Lock.new
    end

    # @param item [Object]
    # @param priority [Numeric] the lower, the sooner
    # @return [self]
    # @raise [TypeError, ArgumentError] if the priority is no number that can be compared
    # @raise [ClosedQueueError] if it is closed
    # @suspends no
    # @threadsafe yes
    def push(item, priority = 0)
      check(priority)
      @lock.exclusively do
        raise ClosedQueueError, "queue closed" if @closed

        insert([priority, @number += 1, item])
      end
      self
    end
    alias << push
    alias enq push

    # @param non_block [Boolean] whether to raise instead of waiting
    # @param timeout [Numeric, nil] how many seconds to wait at most; nil for as long as it takes
    # @return [Object, nil] nil also when the time is up, or if it is closed and empty
    # @raise [ThreadError] if it is empty, and `non_block` is true
    # @raise [TypeError, ArgumentError] if the timeout is no number, negative, or there is nothing to wait for
    # @suspends while it is empty and not closed
    # @threadsafe yes
    def pop(non_block = false, timeout: nil) # rubocop:disable Style/OptionalBooleanParameter
      Arguments.timeout(timeout)
      raise ArgumentError, "can't set a timeout if non_block is enabled" if non_block && timeout

      entry = waiter = nil
      @lock.exclusively do
        entry = remove
        waiter = line_up(non_block) unless entry
      end
      entry = waiter.await(timeout) { give_up(waiter) } if waiter
      taken = true
      entry&.last
    ensure
      # Interrupted at the very moment at which it had an item: that goes to the next one, or back.
      put_back(waiter, entry) unless taken
    end
    alias shift pop
    alias deq pop

    # Lets nothing more in. Those who wait get nil.
    #
    # @return [self]
    # @suspends no
    # @threadsafe yes
    def close
      @lock.exclusively do
        @closed = true
        @waiting.each_key { |waiter| waiter.hand(nil) }.clear
      end
      self
    end

    # @return [Boolean]
    # @threadsafe yes
    def closed? = @closed

    # @return [self]
    # @threadsafe yes
    def clear
      @lock.exclusively { @heap.clear }
      self
    end

    # @return [Boolean]
    # @threadsafe yes
    def empty? = @heap.empty?

    # @return [Integer]
    # @threadsafe yes
    def size = @heap.size
    alias length size

    # @return [Integer] how many wait for an item
    # @threadsafe yes
    def num_waiting = @waiting.size

    # @return [String]
    def inspect = "#<#{self.class} size=#{size} num_waiting=#{num_waiting}#{" closed" if closed?}>"

    private

    def check(priority)
      return if priority.is_a?(Integer)
      unless priority.is_a?(Numeric) && priority.real?
        raise TypeError, "a priority is a number, the lower the sooner, not #{priority.inspect}"
      end
      raise ArgumentError, "a priority has to be comparable, and NaN is not" unless priority == priority # rubocop:disable Lint/BinaryOperatorWithIdenticalOperands
    end

    def line_up(non_block)
      raise ThreadError, "queue empty" if non_block
      return if @closed

      Waiter.new(self).tap { |waiter| @waiting[waiter] = true }
    end

    def give_up(waiter)
      @lock.exclusively { @waiting.delete(waiter) }
      waiter.value
    end

    def put_back(waiter, entry)
      @lock.exclusively do
        @waiting.delete(waiter)
        (entry ||= waiter&.value) && insert(entry)
      end
    end

    def insert(entry)
      until @waiting.empty?
        waiter, = @waiting.shift
        return waiter.hand(entry) if waiter.here?
      end
      rise(entry)
    end

    def rise(entry)
      index = @heap.size
      while index.positive?
        above = (index - 1) / 2
        break if before?(@heap[above], entry)

        @heap[index] = @heap[above]
        index = above
      end
      @heap[index] = entry
    end

    # @return [Array, nil] the first, unless there is none
    def remove
      first = @heap.first
      last = @heap.pop
      sink(last) unless @heap.empty?
      first
    end

    def sink(entry)
      index = 0
      while (below = (2 * index) + 1) < @heap.size
        below += 1 if below + 1 < @heap.size && before?(@heap[below + 1], @heap[below])
        break if before?(entry, @heap[below])

        @heap[index] = @heap[below]
        index = below
      end
      @heap[index] = entry
    end

    def before?(one, other)
      one[0] == other[0] ? one[1] < other[1] : one[0] < other[0]
    end
  end
end
