# frozen_string_literal: true

module Evented
  # Lets so many in at a time. Whoever has to wait is let in in the order of arrival: a permit that is given back goes
  # straight to the one that waits longest, and nobody who comes by can snatch it.
  #
  # For fibers of any reactor and for plain threads, even for both at once. A permit belongs to nobody: one fiber may
  # acquire it and another one release it. In a signal handler Ruby lets nobody lock: push to an {Evented::Queue} there.
  #
  # @example
  #   connections = Evented::Semaphore.new(10)
  #   urls.each { |url| Evented { connections.acquire { Net::HTTP.get(url) } } }
  class Semaphore
    # @return [Integer] how many may be in
    attr_reader :limit

    # @param limit [Integer] at least 1
    # @raise [TypeError, ArgumentError]
    def initialize(limit)
      @limit = Arguments.integer(limit, "a limit")
      # Permits that nobody has; negative if there are more out than a lowered limit allows. None if anybody waits.
      @free = limit
      # Those who wait, as the keys of a Hash; nil if nobody does.
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
        @lock.lock
        begin
          if @free > 0 # rubocop:disable Style/NumericPredicate
            @free -= 1
            taken = true
          end
        ensure
          @lock.unlock
        end
        wait(waiter = Waiter.new(self), timeout) unless taken
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
    def try_acquire
      @lock.exclusively { @free.positive? && (@free -= 1) && true }
    end

    # Gives a permit back: to the one that waits longest, if anybody does.
    #
    # @return [self]
    # @raise [Evented::Error] if none is out
    # @suspends no
    # @threadsafe yes
    def release
      @lock.lock
      begin
        given = @free += 1 if @free < @limit && !@waiting
      ensure
        @lock.unlock
      end
      self
    ensure
      # If somebody waits, or if this fiber was cancelled while another thread had the lock.
      given || @lock.exclusively { give_back }
    end

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
        @free += limit - @limit
        @limit = limit
        hand_over
      end
    end

    # @return [Integer] how many permits are to be had
    # @threadsafe yes
    def available = [@free, 0].max

    # @return [Integer] how many wait for one
    # @threadsafe yes
    def waiting = @waiting&.size || 0

    # @return [String]
    def inspect = "#<#{self.class} limit=#{@limit} available=#{available} waiting=#{waiting}>"

    private

    def wait(waiter, timeout)
      @lock.exclusively do
        (@waiting ||= {}.compare_by_identity)[waiter] = true
        hand_over
      end
      waiter.await(timeout)
    end

    # A permit that was handed over at the very moment at which its waiter was interrupted goes to the next one.
    def leave(waiter)
      @lock.exclusively do
        if waiter.handed?
          give_back
        elsif @waiting&.delete(waiter) && @waiting.empty?
          @waiting = nil
        end
      end
    end

    def give_back
      raise Error, "released more often than acquired: every release needs an acquire before it" if @free >= @limit

      @free += 1
      hand_over
    end

    def hand_over
      while @free.positive? && @waiting
        waiter, = @waiting.shift
        @waiting = nil if @waiting.empty?
        next unless waiter.here?

        @free -= 1
        waiter.hand(true)
      end
    end
  end
end
