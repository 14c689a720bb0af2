# frozen_string_literal: true

module Evented
  # Something that may come about again and again, for which fibers of any reactor and plain threads wait. No mutex is
  # needed, and whoever was not waiting at the time hears nothing of it; for what comes about once see {Promise}.
  # In a signal handler Ruby lets nobody lock: push to an {Evented::Queue} there.
  #
  # (Async's Condition#signal wakes all who wait. Here that is {#broadcast}, as in Ruby's ConditionVariable.)
  #
  # @example
  #   changed = Evented::Condition.new
  #   Evented { puts changed.wait while true }
  #   changed.signal("a new value")
  class Condition
    def initialize
      # Those who wait, as the keys of a Hash.
      @waiting = {}.compare_by_identity
      @lock = Lock.new
    end

    # Waits until {#signal} or {#broadcast} wakes it.
    #
    # @param timeout [Numeric, nil] how many seconds at most; nil for as long as it takes
    # @return [Object] what was given to them
    # @raise [Evented::TimeoutError] if neither came in time
    # @raise [TypeError, ArgumentError] if the timeout is no number, or negative
    # @suspends always
    # @threadsafe yes
    def wait(timeout: nil)
      Arguments.timeout(timeout)
      waiter = Waiter.new(self)
      begin
        @lock.exclusively { @waiting[waiter] = true }
        value = waiter.await(timeout)
        awake = true
        value
      ensure
        leave(waiter) unless awake
      end
    end

    # Wakes the one that waits longest. Should that one be cancelled at this very moment, the next one is woken.
    #
    # @param value [Object] what {#wait} returns
    # @return [Boolean] whether anybody waited
    # @suspends no
    # @threadsafe yes
    def signal(value = nil)
      @lock.exclusively { wake_one(value) }
    end

    # Wakes all who wait.
    #
    # @param value [Object] what {#wait} returns
    # @return [Integer] how many that were
    # @suspends no
    # @threadsafe yes
    def broadcast(value = nil)
      @lock.exclusively do
        woken = @waiting.keys.select(&:here?)
        @waiting.clear
        woken.each { |waiter| waiter.hand(value, for_all: true) }.size
      end
    end

    # @return [Integer] how many wait
    # @threadsafe yes
    def waiting = @waiting.size

    # @return [String]
    def inspect = "#<#{self.class} waiting=#{waiting}>"

    private

    def wake_one(value)
      until @waiting.empty?
        waiter, = @waiting.shift
        next unless waiter.here?

        waiter.hand(value)
        return true
      end
      false
    end

    def leave(waiter)
      @lock.exclusively { @waiting.delete(waiter) || (waiter.handed? && !waiter.for_all? && wake_one(waiter.value)) }
    end
  end
end
