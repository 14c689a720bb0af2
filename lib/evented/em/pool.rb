# frozen_string_literal: true

module Evented
  module EM
    # Resources that are lent to work, one at a time; work waits until one is free.
    class Pool
      def initialize
        @resources = EM::Queue.new
        @removed = []
        @contents = []
        @on_error = nil
      end

      # Adds a resource.
      def add(resource)
        @contents << resource
        free(resource)
      end

      # Takes a resource out, as soon as it is free.
      def remove(resource)
        @contents.delete(resource)
        @removed << resource
      end

      # @return [Array] all that are in it, lent or not
      def contents = @contents.dup

      # What is called with a resource whose work has failed; without it, it is lent again.
      def on_error(*a, &b)
        @on_error = EM.Callback(*a, &b)
      end

      # Lends a resource to work, which gets it and returns a {Deferrable}: when that is settled, it is free.
      #
      # @raise [ArgumentError] later, if it returns something else
      def perform(*a, &b)
        work = EM.Callback(*a, &b)
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

      # How many wait for a resource.
      def num_waiting = @resources.num_waiting

      # Whether it is to be taken out.
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
