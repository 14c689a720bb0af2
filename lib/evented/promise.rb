# frozen_string_literal: true

module Evented
  # A value, or an error, that comes once. Fibers of any reactor and plain threads can wait for it, and code that lives
  # on callbacks can be told. In a signal handler Ruby lets nobody lock: push to an {Evented::Queue} there.
  #
  # @example
  #   promise = Evented::Promise.new
  #   Thread.new { promise.resolve(compute) }
  #   promise.value
  class Promise
    def initialize
      # nil until it is settled; then :resolved or :rejected, and what with.
      @state = nil
      @result = nil
      # Those who wait.
      @waiting = {}.compare_by_identity
      # What is still to be called: pairs of a state and a callable. nil once all have been, and whoever comes later is
      # called at once.
      @callbacks = []
      @lock = Lock.new
    end

    # Settles it with a value.
    #
    # @param value [Object]
    # @return [self]
    # @raise [Evented::Error] if it is settled already
    # @raise what a callback raised, after all have been called; {Evented::MultipleErrors} if several did
    # @suspends if a callback does
    # @threadsafe yes
    def resolve(value = nil)
      settle(:resolved, value) || refuse
      self
    end

    # Settles it with an error.
    #
    # @param error [Exception, String] a message makes a RuntimeError, as with `raise`
    # @return [self]
    # @raise [Evented::Error] if it is settled already
    # @raise [TypeError] if that is neither an exception nor a message
    # @raise (see #resolve)
    # @suspends if a callback does
    # @threadsafe yes
    def reject(error)
      settle(:rejected, exception(error)) || refuse
      self
    end

    # As {#resolve}, unless it is settled already.
    #
    # @param (see #resolve)
    # @return [Boolean] whether it was not
    # @suspends if a callback does
    # @threadsafe yes
    def try_resolve(value = nil) = settle(:resolved, value)

    # As {#reject}, unless it is settled already.
    #
    # @param (see #reject)
    # @return [Boolean] whether it was not
    # @raise [TypeError] if that is neither an exception nor a message
    # @suspends if a callback does
    # @threadsafe yes
    def try_reject(error) = settle(:rejected, exception(error))

    # Waits until it is settled.
    #
    # @param timeout [Numeric, nil] how many seconds at most; nil for as long as it takes
    # @return [Object]
    # @raise the error it was rejected with
    # @raise [Evented::TimeoutError] if it was not settled in time
    # @raise [TypeError, ArgumentError] if the timeout is no number, or negative
    # @suspends unless it is settled
    # @threadsafe yes
    def value(timeout: nil)
      Arguments.timeout(timeout)
      await(timeout) unless @state
      @state == :rejected ? raise(@result) : @result
    end
    alias wait value

    # @return [Boolean] whether it has a value
    # @threadsafe yes
    def resolved? = @state == :resolved

    # @return [Boolean] whether it has an error
    # @threadsafe yes
    def rejected? = @state == :rejected

    # @return [Boolean]
    # @threadsafe yes
    def settled? = !@state.nil?

    # Has the callable or the block called with the value: by who settles it, in his fiber, in the order in which they
    # were given; at once if it is settled.
    #
    # @param callable [#call, nil]
    # @yieldparam value [Object]
    # @return [self]
    # @raise [ArgumentError] if there is nothing to call
    # @suspends no, unless it is settled and the callable does
    # @threadsafe yes
    def callback(callable = nil, &block) = on(:resolved, callable || block, "callback")

    # As {#callback}, with the error.
    #
    # @param callable [#call, nil]
    # @yieldparam error [Exception]
    # @return [self]
    # @raise [ArgumentError] if there is nothing to call
    # @suspends no, unless it is settled and the callable does
    # @threadsafe yes
    def errback(callable = nil, &block) = on(:rejected, callable || block, "errback")

    # @return [String]
    def inspect = "#<#{self.class} #{@state || "waiting=#{@waiting.size}"}>"

    private

    def exception(error)
      error = RuntimeError.new(error) if error.is_a?(String)
      raise TypeError, "reject takes an exception or a message, not #{error.inspect}" unless error.is_a?(Exception)

      # Where it was rejected says more than where somebody waited.
      error.set_backtrace(caller(2)) unless error.backtrace || error.frozen?
      error
    end

    def refuse
      raise Error, "this promise was #{@state} already, which can be done once only: try_resolve and try_reject " \
                   "return false then"
    end

    def settle(state, result)
      @lock.exclusively do
        return false if @state

        @result = result
        @state = state
        @waiting.each_key { |waiter| waiter.hand(true) if waiter.here? }.clear
      end
      call_back
      true
    end

    def call_back(failures = [])
      while (callback = @lock.exclusively { @callbacks.shift || (@callbacks = nil) })
        begin
          callback.last.call(@result) if callback.first == @state
        rescue Exception => e # rubocop:disable Lint/RescueException
          failures << e
        end
      end
      all_called = true
      return if failures.empty?

      # What ends a task, a thread or the process is not wrapped into anything.
      raise failures.find { |error| !error.is_a?(StandardError) } ||
            (failures.one? ? failures.first : MultipleErrors.new(failures))
    ensure
      # Left by `throw`, or because the thread is killed: the others are called all the same.
      call_back(failures) unless all_called || @callbacks.nil?
    end

    def on(state, callable, name)
      raise ArgumentError, "#{name} needs a block, or what responds to call" unless callable.respond_to?(:call)

      kept = @lock.exclusively { @callbacks&.push([state, callable]) }
      callable.call(@result) if !kept && @state == state
      self
    end

    def await(timeout)
      waiter = Waiter.new(self)
      begin
        @lock.exclusively { @state ? waiter.hand(true) : @waiting[waiter] = true }
        waiter.await(timeout)
      ensure
        @lock.exclusively { @waiting.delete(waiter) } unless waiter.handed?
      end
    end
  end
end
