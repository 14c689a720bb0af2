# frozen_string_literal: true

module Evented
  module EM
    # Resources that are lent to work, each to one piece of work at a time; work waits until one is free.
    #
    # @example
    #   pool = EM::Pool.new
    #   10.times { pool.add(Client.new) }
    #   pool.perform { |client| client.get("/") } # a deferrable
    class Pool
      def initialize
        @resources = EM::Queue.new
        @removed = []
        @contents = []
        @on_error = nil
      end

      # Adds a resource; it is lent if somebody waits.
      #
      # @param resource [Object]
      # @suspends no, unless work does
      def add(resource)
        @contents << resource
        free(resource)
      end

      # Takes a resource out, as soon as it is free.
      #
      # @param resource [Object]
      def remove(resource)
        @contents.delete(resource)
        @removed << resource
      end

      # @return [Array] all that are in it, lent or not
      def contents = @contents.dup

      # What is called with a resource whose work has failed, and which is taken out then (it may be added again).
      # Without it, such a resource is lent again.
      #
      # @param a see {EM.Callback}
      # @raise [ArgumentError] if there is nothing to call
      def on_error(*a, &)
        @on_error = EM.Callback(*a, &)
      end

      # Lends a resource to work, which gets it and returns a {Deferrable}: when that is settled, it is free.
      #
      # @param a see {EM.Callback}
      # @return [nil]
      # @raise [ArgumentError] if there is nothing to call; and where it is called, if it returns anything else
      # @suspends no, unless work does
      # @threadsafe yes
      def perform(*a, &)
        work = EM.Callback(*a, &)
        @resources.pop do |resource|
          if removed?(resource)
            @removed.delete(resource)
            reschedule(work)
          else
            lend(work, resource)
          end
        end
      end
      alias reschedule perform

      # @return [Integer] how many wait for a resource
      def num_waiting = @resources.num_waiting

      # @param resource [Object]
      # @return [Boolean] whether it is to be taken out
      def removed?(resource) = @removed.include?(resource)

      private

      def free(resource) = @resources.push(resource)

      def failed(resource)
        if @on_error
          @contents.delete(resource)
          @on_error.call(resource)
          # It is to be added again, if it is.
          @removed.delete(resource)
        else
          free(resource)
        end
      end

      def watch(deferrable, resource)
        deferrable.callback { free(resource) }
        deferrable.errback { failed(resource) }
      end

      def lend(work, resource)
        deferrable = work.call(resource)
        raise ArgumentError, "deferrable expected from work" unless deferrable.is_a?(EM::Deferrable)

        watch(deferrable, resource)
      rescue StandardError
        failed(resource)
        raise
      end
    end
  end
end
