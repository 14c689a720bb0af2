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
      # @return [Integer] for {#unsubscribe}
      # @threadsafe yes
      def subscribe(*a, &b)
        name = gen_id
        callback = EM.Callback(*a, &b)
        EM.schedule { @subscribers[name] = callback }
        name
      end

      # Ends a subscription.
      #
      # @threadsafe yes
      def unsubscribe(name)
        EM.schedule { @subscribers.delete(name) }
      end

      # Hands out messages.
      #
      # @threadsafe yes
      def push(*items)
        items = items.dup
        EM.schedule do
          items.each { |item| @subscribers.values.each { |subscriber| subscriber.call(item) } }
        end
      end
      alias << push

      # Hands one message, the next, to what is given.
      #
      # @return [Integer] for {#unsubscribe}
      # @threadsafe yes
      def pop(*a, &b)
        callback = EM.Callback(*a, &b)
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

      def gen_id = @last += 1
    end
  end
end
