# frozen_string_literal: true

module Evented
  # Lets so many in at a time. Whoever has to wait is let in in the order of arrival: a permit that is given back goes
  # straight to the one that waits longest, and nobody who comes by can snatch it.
  #
  # For fibers of any reactor and for plain threads, even for both at once. A permit belongs to nobody: one fiber may
  # acquire it and another one release it. In a signal handler, where Ruby lets nobody lock, it only works as long as
  # nobody waits: push to an {Evented::Queue} there.
  #
  # @example
  #   connections = Evented::Semaphore.new(10)
  #   urls.each { |url| Evented { connections.acquire { Net::HTTP.get(url) } } }
  class Semaphore
    # @param limit [Integer] at least 1
    # @raise [TypeError, ArgumentError]
    def initialize(limit)
      @permits = Native::Permits.new(Arguments.integer(limit, "a limit"))
      # Those who wait, as the keys of a Hash; nil if nobody does. None is free then.
      @waiting = nil
      @lock = Lock.new
    end

    # Takes a permit; waits for one if there is none.
    #
    # @param timeout [Numeric, nil] how many seconds to wait at most; nil for as long as it takes
    # @yield with the permit, which is given back afterwards
    # @return [Object] the block's value; without a block true
    # @raise [Evented::TimeoutError] if there was none in time
    # @raise [TypeError, ArgumentError] if the timeout is no number, or negative
    # @suspends if there is none
    # @threadsafe yes
    def acquire(timeout: nil)
      timeout.nil? || Arguments.timeout(timeout)
      begin
        wait(waiter = Waiter.new(self), timeout) unless (taken = @permits.take)
        return yield if block_given?

        kept = true
      ensure
        # Also when another thread's exception has come in between.
        kept || (taken && release) || (waiter && leave(waiter))
      end
    end

    # Takes a permit if there is one.
    #
    # @return [Boolean] whether there was
    # @suspends no
    # @threadsafe yes
    def try_acquire = @permits.take

    # Gives a permit back: to the one that waits longest, if anybody does.
    #
    # @return [self]
    # @raise [Evented::Error] if none is out
    # @suspends no
    # @threadsafe yes
    def release
      @permits.give || @lock.exclusively { give_back }
      self
    end

    # @return [Integer] how many may be in
    # @threadsafe yes
    def limit = @permits.limit

    # Changes how many may be in. A higher limit lets in those who wait; a lower one takes nothing from those who are
    # in, but as long as there are too many nobody follows.
    #
    # @param limit [Integer] at least 1
    # @raise [TypeError, ArgumentError]
    # @suspends no
    # @threadsafe yes
    def limit=(limit)
      Arguments.integer(limit, "a limit")
      @lock.exclusively do
        @permits.add(limit - @permits.limit)
        @permits.limit = limit
        hand_over
      end
    end

    # @return [Integer] how many permits are to be had
    # @threadsafe yes
    def available = [@permits.free, 0].max

    # @return [Integer] how many wait for one
    # @threadsafe yes
    def waiting = @waiting&.size || 0

    # @return [String]
    def inspect = "#<#{self.class} limit=#{limit} available=#{available} waiting=#{waiting}>"

    private

    # From the moment at which it counts as waiting permits are handed over; one may have been given back just before.
    def wait(waiter, timeout)
      @lock.exclusively do
        (@waiting ||= {}.compare_by_identity)[waiter] = true
        @permits.contended = true
        hand_over
      end
      waiter.await(timeout)
    end

    # A permit that was handed over at the very moment at which its waiter was interrupted goes to the next one.
    def leave(waiter)
      @lock.exclusively do
        if waiter.handed?
          give_back
        elsif @waiting&.delete(waiter)
          nobody_waits if @waiting.empty?
        end
      end
    end

    def give_back
      if @permits.free >= @permits.limit
        raise Error, "released more often than acquired: every release needs an acquire before it"
      end

      @permits.add(1)
      hand_over
    end

    def hand_over
      while @waiting && @permits.claim
        waiter, = @waiting.shift
        nobody_waits if @waiting.empty?
        waiter.here? ? waiter.hand(true) : @permits.add(1)
      end
    end

    def nobody_waits
      @waiting = nil
      @permits.contended = false
    end
  end
end
