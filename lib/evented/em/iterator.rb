# frozen_string_literal: true

module Evented
  module EM
    # Goes through a list with callbacks, some at a time.
    #
    # @example ten at a time
    #   EM::Iterator.new(urls, 10).each { |url, iter| fetch(url).callback { iter.next } }
    class Iterator
      # What a callable instead of a list returns at its end.
      Stop = "EM::Stop"

      # One item that is being worked on: told once that it is done.
      class Item
        def initialize(&done)
          @done = done
        end

        # It is done.
        #
        # @raise [RuntimeError] if that was said already
        # @suspends no
        def next
          done = @done or raise "already completed this iteration"
          @done = nil
          done.call
          nil
        end
      end

      # As {Item}, with a result.
      class ItemWithResult
        def initialize(kind, &done)
          @kind = kind
          @done = done
        end

        # It is done.
        #
        # @param result [Object]
        # @raise [RuntimeError] if that was said already
        # @suspends no
        def return(result)
          done = @done or raise "already returned a value for this iteration"
          @done = nil
          done.call(result)
          nil
        end

        # A mistake: there has to be a result.
        #
        # @raise [NoMethodError]
        def next = raise(NoMethodError, "must call #return on #{@kind} iterator")
      end
      private_constant :Item, :ItemWithResult

      # @return [Integer]
      attr_reader :concurrency

      # @param list [#to_a, #call] or a callable that returns one item after the other, and {Stop} at the end
      # @param concurrency [Integer] how many at a time
      # @raise [ArgumentError] if that is not positive, or the list is neither
      def initialize(list, concurrency = 1)
        raise ArgumentError, "concurrency must be bigger than zero" unless concurrency.positive?

        if list.respond_to?(:call)
          @source = list
        elsif list.respond_to?(:to_a)
          items = list.to_a.dup
          @source = -> { items.empty? ? Stop : items.shift }
        else
          raise ArgumentError, "argument must be a proc or an array"
        end
        @concurrency = concurrency
        @started = @ended = false
        # Those that take items, and items that are being worked on.
        @workers = @pending = 0
      end

      # Changes how many are worked on at a time: more soon, fewer as some are done.
      #
      # @param value [Integer]
      def concurrency=(value)
        before = @concurrency
        @concurrency = value
        spawn_workers if @started && value > before
      end

      # Hands out the items, from the next pass on; then calls `after`.
      #
      # @param foreach [#call, nil] or a block
      # @param after [#call, nil]
      # @yieldparam item [Object]
      # @yieldparam iter [#next] to be told when the item is done
      # @return [self]
      # @raise [ArgumentError] without anything to call
      # @raise [RuntimeError] if it was gone through already
      # @suspends no
      def each(foreach = nil, after = nil, &block)
        foreach ||= block or raise ArgumentError, "proc or block required for iteration"
        raise "cannot iterate over an iterator more than once" if @started

        @started = true
        @foreach = foreach
        @after = after
        spawn_workers
        self
      end

      # As {#each}, and collects results: for each item `iter.return(result)` is to be called.
      #
      # @param foreach [#call] gets the item and `iter`
      # @param after [#call] gets the results, in the order of the items
      # @return [self]
      # @raise (see #each)
      # @suspends no
      def map(foreach, after)
        results = []
        count = -1
        each(lambda do |item, step|
          place = count += 1
          foreach.call(item, ItemWithResult.new("a map") do |result|
            results[place] = result
            step.next
          end)
        end, -> { after.call(results) })
      end

      # As {#each}, and carries a value along: for each item `iter.return(value)` is to be called.
      #
      # @param value [Object] the first
      # @param foreach [#call] gets the value so far, the item and `iter`
      # @param after [#call] gets the last value
      # @return [self]
      # @raise (see #each)
      # @suspends no
      def inject(value, foreach, after)
        each(lambda do |item, step|
          foreach.call(value, item, ItemWithResult.new("an inject") do |result|
            value = result
            step.next
          end)
        end, -> { after.call(value) })
      end

      private

      # One a pass: who is called for an item may change how many there are to be.
      def spawn_workers
        EM.next_tick do
          if @workers < @concurrency && !@ended
            @workers += 1
            work
            spawn_workers
          end
        end
      end

      # Begins with the next item, if there is to be one.
      def work
        return @workers -= 1 if @ended || @workers > @concurrency

        item = @source.call
        return come_to_the_end if item.equal?(Stop)

        @pending += 1
        @foreach.call(item, Item.new { done })
      end

      def done
        @pending -= 1
        return EM.next_tick { work } unless @ended

        @after&.call if @pending.zero?
      end

      def come_to_the_end
        @workers -= 1
        @ended = true
        @after&.call if @pending.zero?
      end
    end
  end
end
