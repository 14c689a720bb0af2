# frozen_string_literal: true

module Evented
  module EM
    # A resource that belongs to a thread of its own: what can only block, one call after the other.
    class ThreadedResource
      # @yieldreturn [Object] the resource, made in its thread
      def initialize
        @resource = yield
        @running = true
        @queue = Thread::Queue.new
        @thread = Thread.new { @queue.pop.call while @running }
      end

      # Has the thread call a block with the resource.
      #
      # @return [EM::Completion] that succeeds with its value, or fails with what it raised
      # @threadsafe yes
      def dispatch
        completion = EM::Completion.new
        @queue << lambda do
          completion.succeed(yield(@resource))
        rescue StandardError => e
          completion.fail(e)
        end
        completion
      end

      # Ends the thread, after what it was given before.
      #
      # @return [Thread]
      # @suspends until then
      def shutdown
        @running = false
        @queue << -> {}
        @thread.join
      end
    end
  end
end
