# frozen_string_literal: true

module Evented
  module EM
    # Goes through a list with callbacks, some at a time.
    #
    # @example ten at a time
    #   EM::Iterator.new(urls, 10).each { |url, iter| fetch(url).callback { iter.next } }
    class Iterator
      # What a callable instead of a list returns at its end.
      Stop = "EM::Iterator::Stop"

      # @return [Integer]
      attr_reader :concurrency

      # @param list [#to_a, #call] or a callable that returns one after the other, and {Stop}
      # @param concurrency [Integer] how many at a time
      # @raise [ArgumentError] if that is not positive, or the list is neither
      def initialize(list, concurrency = 1)
        raise ArgumentError, "concurrency must be bigger than zero" unless concurrency.positive?

        if list.respond_to?(:call)
          @list = nil
          @list_proc = list
        elsif list.respond_to?(:to_a)
          @list = list.to_a.dup
          @list_proc = nil
        else
          raise ArgumentError, "argument must be a proc or an array"
        end
        @concurrency = concurrency
        @started = false
        @ended = false
      end

      # Changes how many are worked on at a time; fewer, as those end.
      def concurrency=(value)
        before = @concurrency
        @concurrency = value
        spawn_workers if @started && value > before && !@ended
      end

      # Hands each item, and an iterator whose `next` is to be called when it is done, to `foreach`; then calls `after`.
      #
      # @return [self]
      # @raise [RuntimeError] if `next` is called twice for an item
      def each(foreach = nil, after = nil, &blk)
        raise ArgumentError, "proc or block required for iteration" unless (foreach ||= blk)
        raise "cannot iterate over an iterator more than once" if @started || @ended

        @started = true
        @pending = 0
        @workers = 0
        @foreach = foreach
        @after = after
        EM.next_tick do
          spawn_workers
          after&.call if @ended && @workers.zero? && !@after_called
        end
        self
      end

      # As {#each}, with `return(result)` for `next`; `after` gets the results in the order of the items.
      def map(foreach, after)
        index = 0
        inject([], lambda { |results, item, iter|
          at = index
          index += 1
          is_done = false
          on_done = lambda { |result|
            raise "already returned a value for this iteration" if is_done

            is_done = true
            results[at] = result
            iter.return(results)
          }
          foreach.call(item, Step.new(self, on_done, returns: true))
        }, lambda { |results| after.call(results) })
      end

      # As {#each}, with the result so far handed to the next; `after` gets the last.
      def inject(obj, foreach, after)
        each(lambda { |item, iter|
          is_done = false
          on_done = lambda { |result|
            raise "already returned a value for this iteration" if is_done

            is_done = true
            obj = result
            iter.next
          }
          foreach.call(obj, item, Step.new(self, on_done, returns: true))
        }, -> { after.call(obj) })
      end

      # What a block gets to say that an item is done. It answers to everything else as the iterator does.
      #
      # @private
      class Step < BasicObject
        def initialize(iterator, done, returns: false)
          @iterator = iterator
          @done = done
          @returns = returns
        end

        def next = @returns ? @iterator.next : @done.call

        def return(value)
          ::Kernel.raise ::NoMethodError, "undefined method 'return' for an iterator of each" unless @returns

          @done.call(value)
        end

        def respond_to_missing?(name, all = false) = @iterator.respond_to?(name, all)

        def method_missing(name, ...) = @iterator.__send__(name, ...) # rubocop:disable Style/MissingRespondToMissing
      end
      private_constant :Step

      # Called on the iterator itself there is no item to go on from.
      def next
        raise NotImplementedError, "must call next on the iterator that was passed along with the item"
      end

      private

      def spawn_workers
        while !@ended && @workers < @concurrency
          @workers += 1
          work
        end
      end

      # Takes the next item, unless there is none or there are too many at it.
      def work
        if @ended || @workers > @concurrency
          return leave
        end

        item = next_item
        if item.equal?(Stop)
          @ended = true
          return leave
        end
        is_done = false
        @pending += 1
        @foreach.call(item, Step.new(self, lambda {
          raise "already completed this iteration" if is_done

          is_done = true
          @pending -= 1
          @ended ? leave : EM.next_tick { work }
        }))
      end

      def leave
        @workers -= 1
        return unless @ended && @pending.zero? && @workers.zero? && !@after_called

        @after_called = true
        @after&.call
      end

      def next_item
        return @list_proc.call if @list_proc

        @list.empty? ? Stop : @list.shift
      end
    end
  end
end
