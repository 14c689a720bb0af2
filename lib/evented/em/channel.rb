# frozen_string_literal: true

module Evented
  module EM
    # Hands each message to all who have subscribed, on the reactor's thread.
    class Channel
      def initialize
        @subscribers = {}
        @last = 0
      end

      # How many have subscribed.
      def num_subscribers = @subscribers.size

      # Hands every message to what is given, from now on.
      #
      # @param a see {EM.Callback}
      # @raise [ArgumentError] if there is nothing to call
      # @suspends no
      # @return [Integer] for {#unsubscribe}
      # @threadsafe yes
      def subscribe(*a, &)
        name = gen_id
        callback = EM.Callback(*a, &)
        EM.schedule { @subscribers[name] = callback }
        name
      end

      # Ends a subscription.
      #
      # @param name [Integer] of {#subscribe} or {#pop}; an unknown one is ignored
      # @suspends no
      # @threadsafe yes
      def unsubscribe(name)
        EM.schedule { @subscribers.delete(name) }
      end

      # Hands out messages: each to those who have subscribed when its turn comes.
      #
      # @param items [Object] messages
      # @suspends no, unless a subscriber does
      # @threadsafe yes
      def push(*items)
        EM.schedule { items.each { |item| hand_out(item) } }
      end
      alias << push

      # Hands one message, the next, to what is given.
      #
      # @param a see {EM.Callback}
      # @raise [ArgumentError] if there is nothing to call
      # @suspends no
      # @return [Integer] for {#unsubscribe}
      # @threadsafe yes
      def pop(*a, &)
        callback = EM.Callback(*a, &)
        name = gen_id
        EM.schedule do
          @subscribers[name] = lambda do |item|
            unsubscribe(name)
            callback.call(item)
          end
        end
        name
      end

      private

      # Subscribers may come and go while they are called.
      def hand_out(item)
        subscribers = @subscribers.values
        subscribers.each { |subscriber| subscriber.call(item) }
      end

      def gen_id = @last += 1
    end
  end
end
