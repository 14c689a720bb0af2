# frozen_string_literal: true

module Evented
  module EM
    # A queue between callbacks: what is popped is handed to a block, on the reactor's thread, now or when there is
    # something. All in order.
    class Queue
      def initialize
        @items = []
        @waiting = []
      end

      # Hands the next item to what is given.
      #
      # @param a see {EM.Callback}
      # @return [nil]
      # @raise [ArgumentError] if there is nothing to call
      # @suspends no, unless it is called and does
      # @threadsafe yes
      def pop(*a, &)
        callback = EM.Callback(*a, &)
        EM.schedule do
          if @items.empty?
            @waiting << callback
          else
            callback.call(@items.shift)
          end
        end
        nil
      end

      # Adds items. Who waits for one is called; what that raises is raised here, and costs no other item.
      #
      # @param items [Object]
      # @suspends no, unless a callback does
      # @threadsafe yes
      def push(*items)
        EM.schedule do
          @items.concat(items)
          @waiting.shift.call(@items.shift) until @items.empty? || @waiting.empty?
        end
      end
      alias << push

      # Whether there is nothing to pop.
      def empty? = @items.empty?

      # How many there are.
      def size = @items.size

      # How many wait for an item.
      def num_waiting = @waiting.size
    end
  end
end
