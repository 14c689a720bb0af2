# frozen_string_literal: true

require_relative "doorbell"
require_relative "scope"

# Many things at once.
module Evented
  # How it is done, in a task.
  #
  # @private
  module Many
    class << self
      # @return [Array] the block's values, in the order of the items
      def map(enum, limit, block)
        values = []
        run(name("map", block), enum, limit, ->(item, position) { values[position] = block.call(item) })
        values
      end

      # @return [void]
      def each(enum, limit, block)
        run(name("each", block), enum, limit, ->(item, _) { block.call(item) })
      end

      # Yields the values in the order of the items, to whoever comes for them.
      def ahead(enum, limit, block)
        window = [] # tasks whose values have not been fetched, in order
        failed = nil
        scope = Scope.new(name("map", block))
        consumer = Doorbell.new("the next value of Evented.map")
        ended = lambda do |task|
          failed ||= task unless task.equal?(scope.task) || task.status == :completed
          consumer.ring
        end
        # Transient, because an Enumerator may be left without a word.
        scope.start(transient: true) do
          enum.each_entry do |item|
            scope.wait_until { window.size < limit || failed }
            failed&.wait
            (window << scope.spawn { block.call(item) }).last.on_complete(ended)
          end
        end
        scope.task.on_complete(ended)
        while true # rubocop:disable Style/InfiniteLoop -- loop would take a StopIteration of the consumer for its end
          consumer.wait_until { failed || !scope.task.alive? || (window.any? && !window.first.alive?) }
          # The failure of one is that of the scope, which tells of all of them.
          scope.task.wait if failed&.status == :failed || scope.task.status == :failed
          failed&.wait
          head = window.shift or return scope.task.wait
          scope.wake
          yield head.value
        end
      ensure
        scope&.close
      end

      # @return [Object] the value of the first that ends
      def race(callables)
        Scope.new("Evented.race").run do |scope|
          first = nil
          ended = lambda do |task|
            next if first

            first = task
            # (At once, so that nobody goes on until the scope has its turn.)
            scope.task.children.each { |other| other.cancel("another one was faster") unless other.equal?(task) }
            scope.wake
          end
          callables.each { |callable| first || scope.spawn { callable.call }.on_complete(ended) }
          scope.wait_until { first }
          first.wait
        end
      end

      # @return [Evented::Task]
      def first_completed(tasks)
        fiber = Fiber.current
        loop do
          ended = tasks.find { |task| !task.alive? }
          return ended if ended

          tasks.each { |task| task.watch(fiber) }
          Fiber.scheduler.block("the first of #{tasks.size} tasks", nil)
        ensure
          tasks.each { |task| task.unwatch(fiber) }
        end
      end

      private

      # For {Evented.dump}: where the block is, which the tasks run only indirectly.
      def name(method, block) = ["Evented.#{method}", *block.source_location&.join(":")].join(" at ")

      # One task an item, so that what the block starts ends with it, and an item's failure is nobody else's.
      def run(name, enum, limit, work)
        Scope.new(name).run do |scope|
          running = 0
          position = -1
          failed = nil
          ended = lambda do |task|
            running -= 1
            failed ||= task unless task.status == :completed
            scope.wake
          end
          enum.each_entry do |item|
            scope.wait_until { running < limit || failed }
            failed&.wait
            running += 1
            mine = position += 1
            scope.spawn { work.call(item, mine) }.on_complete(ended)
          end
          scope.wait_until { running.zero? || failed }
          failed&.wait
        end
      end
    end
  end
  private_constant :Many

  class << self
    # Calls the block for each item, in a task of its own, for `limit` items at a time. The first failure cancels the
    # others. Inside the block `next` gives a value; `break` is not possible, as it runs on its own.
    #
    # For an Enumerator::Lazy the result is another, in the same order, which works as it is asked, and at most `limit`
    # items ahead; so the source may be infinite. What ran ahead is cancelled when no more is wanted. (Outside of a
    # reactor nothing can go on between two values: it is done there in portions of `limit` items.)
    #
    # @example
    #   pages = Evented.map(urls, limit: 20) { |url| Net::HTTP.get(url) }
    #   Evented.map((1..).lazy) { |number| page(number) }.take_while(&:any?).to_a
    #
    # @param enum [Enumerable, #each] its `each` may wait
    # @param limit [Integer] how many items are taken from it and not finished, at most
    # @yieldparam item [Object]
    # @return [Array, Enumerator::Lazy] the block's values in the order of the items
    # @raise what the block or the enumeration raised; {Evented::MultipleErrors} if several did
    # @raise [Evented::Cancel] if one of the tasks was cancelled
    # @raise [TypeError] if `enum` can't be enumerated or `limit` is no Integer
    # @raise [ArgumentError] if there is no block, or `limit` is not positive
    # @suspends until all have ended and cleaned up; outside of a reactor it runs one
    # @threadsafe yes, if the enumerable is
    def map(enum, limit: 100, &block)
      raise ArgumentError, "Evented.map needs a block" unless block

      source = source_of(enum)
      Arguments.integer(limit, "limit:")
      return lazy_map(source, limit, block) if enum.is_a?(Enumerator::Lazy)

      Task.current? ? Many.map(source, limit, block) : run { Many.map(source, limit, block) }
    end

    # As {map}, without values to keep: for what has no end, or is done for its effect.
    #
    # @example
    #   Evented.each(messages, limit: 50) { |message| deliver(message) }
    #
    # @param (see map)
    # @yieldparam item [Object]
    # @return [Object] `enum`
    # @raise (see map)
    # @suspends until all have ended and cleaned up; outside of a reactor it runs one
    # @threadsafe yes, if the enumerable is
    def each(enum, limit: 100, &block)
      raise ArgumentError, "Evented.each needs a block" unless block

      source = source_of(enum)
      Arguments.integer(limit, "limit:")
      Task.current? ? Many.each(source, limit, block) : run { Many.each(source, limit, block) }
      enum
    end

    # Calls all of them at once. The first failure cancels the others.
    #
    # @example
    #   user, orders = Evented.all(-> { User.find(id) }, -> { Order.of(id) })
    #
    # @param callables [Array<#call>]
    # @return [Array] their values in the order given
    # @raise what one of them raised; {Evented::MultipleErrors} if several did
    # @raise [Evented::Cancel] if one of the tasks was cancelled
    # @raise [ArgumentError] if one of them can't be called
    # @suspends until all have ended and cleaned up; outside of a reactor it runs one
    # @threadsafe yes
    def all(*callables, &block)
      check_callables(callables, "Evented.all", block)
      return [] if callables.empty?

      map(callables, limit: callables.size, &:call)
    end

    # Calls all of them at once; the first to end, be it with a failure, decides. The others are cancelled, which is no
    # failure, and have cleaned up when this returns. Those behind one that ends without ever waiting are not called.
    #
    # @example
    #   Evented.race(-> { ask(primary) }, -> { Evented.sleep(0.2) && ask(replica) })
    #
    # @param callables [Array<#call>] at least one
    # @return [Object] the value of the first to end
    # @raise what that raised
    # @raise what another one raised while it cleaned up; {Evented::MultipleErrors} if several did
    # @raise [ArgumentError] if there is none, or one of them can't be called
    # @suspends until one has ended and the others have cleaned up; outside of a reactor it runs one
    # @threadsafe yes
    def race(*callables, &block)
      check_callables(callables, "Evented.race", block)
      raise ArgumentError, "Evented.race needs something to call: of nothing, nothing is the first" if callables.empty?

      Task.current? ? Many.race(callables) : run { Many.race(callables) }
    end

    # Waits until one of these tasks has ended. The others go on.
    #
    # It does not raise the failure of that task, and does not hear it either: if the caller doesn't ask the task before
    # it waits for something else, it is raised in the task's parent, as always.
    #
    # @param tasks [Enumerable<Evented::Task>] at least one
    # @return [Evented::Task] the one that has ended; the first in their order, if there are several
    # @raise [ArgumentError] if there is none, or something else among them
    # @raise [Evented::Error] if one could never end, because it waits for the caller
    # @raise [Evented::WrongThreadError] if one belongs to another thread and none has ended
    # @suspends unless one has ended
    # @threadsafe each call is about the fiber that makes it
    def first_completed(tasks)
      tasks = source_of(tasks).to_a.uniq(&:object_id)
      raise ArgumentError, "first_completed needs a task: of none, none is the first" if tasks.empty?

      stranger = tasks.find { |task| !task.is_a?(Task) }
      raise ArgumentError, "first_completed waits for tasks, not #{stranger.inspect}: start it with spawn" if stranger

      Many.first_completed(tasks)
    end

    private

    def lazy_map(source, limit, block)
      Enumerator.new do |yielder|
        if Task.current?
          Many.ahead(source, limit, block) { |value| yielder << value }
        else
          source.each_slice(limit) { |items| map(items, limit: limit, &block).each { |value| yielder << value } }
        end
      end.lazy
    end

    def source_of(enum)
      return enum.eager if enum.is_a?(Enumerator::Lazy)
      return enum if enum.is_a?(Enumerable)
      raise TypeError, "#{enum.inspect} can't be enumerated: it has no method each" unless enum.respond_to?(:each)

      enum.to_enum
    end

    # (The callers name their block, because Ruby 3.4 warns when a method only asks whether there is one.)
    def check_callables(callables, name, block)
      raise ArgumentError, "#{name} takes what it calls as arguments: #{name}(-> { … }, -> { … })" if block

      stranger = callables.find { |callable| !callable.respond_to?(:call) }
      return unless stranger || callables.include?(nil)

      hint = stranger.is_a?(Array) ? " (spread an Array with *)" : ""
      raise ArgumentError, "#{name} can't call #{stranger.inspect}#{hint}: give it lambdas, or what responds to call"
    end
  end
end
