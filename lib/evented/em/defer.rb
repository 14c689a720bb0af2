# frozen_string_literal: true

module Evented
  # Work for other threads.
  module EM
    @threadpool = nil
    @threadqueue = nil
    @threadpool_size = 20
    # Guards the number of those that are not done.
    @deferred = Thread::Mutex.new
    @pending = 0

    class << self
      # How many threads work for {defer}; read when the first of them is needed.
      attr_accessor :threadpool_size
      # The threads, or nil.
      attr_reader :threadpool

      # Has a thread of the pool call `operation`, and then the reactor `callback` with the result.
      #
      # @param errback [#call, nil] called instead with what `operation` raised; without one that ends the process, as
      #   any thread's exception does with abort_on_exception
      # @return [nil]
      # @threadsafe yes
      def defer(operation = nil, callback = nil, errback = nil, &block)
        spawn_threadpool unless @threadpool
        @deferred.synchronize { @pending += 1 }
        @threadqueue << [operation || block, callback, errback, Reactor.current]
        nil
      end

      # @return [Boolean] whether all that was deferred is done, and its callbacks have been called
      def defers_finished?
        return false if @threadpool && @threadqueue.num_waiting < @threadpool.size && !@threadqueue.empty?

        @pending.zero?
      end

      private

      def spawn_threadpool
        @threadqueue = Thread::Queue.new
        @threadpool = Array.new(@threadpool_size) do
          thread = Thread.new { work(@threadqueue) }
          thread.abort_on_exception = true
          thread
        end
      end

      def work(queue)
        loop do
          operation, callback, errback, reactor = queue.pop
          begin
            result = operation.call
            called = callback
          rescue Exception => e # rubocop:disable Lint/RescueException
            raise unless errback

            result = e
            called = errback
          end
          hand_back(reactor || Reactor.current, called, result)
        end
      end

      def hand_back(reactor, callable, result)
        code = lambda do
          @deferred.synchronize { @pending -= 1 }
          callable&.call(result)
        end
        return @early_ticks.push(code) unless reactor

        reactor.ticks.push_result(code)
        reactor.signal
      end

      def stop_threadpool
        @threadpool&.each(&:kill)
        @threadpool = @threadqueue = nil
        @pending = 0
      end
    end
  end
end
