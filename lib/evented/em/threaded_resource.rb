# frozen_string_literal: true

module Evented
  module EM
    # A resource that one thread of its own works with, one piece of work after the other: for what can only block.
    #
    # @example
    #   database = EM::ThreadedResource.new { Database.open }
    #   database.dispatch { |db| db.query("…") }.callback { |rows| … }
    class ThreadedResource
      # @yieldreturn [Object] the resource
      # @raise [LocalJumpError] without a block
      def initialize
        @resource = yield
        @running = true
        @queue = Thread::Queue.new
        @thread = Thread.new { @queue.pop.call while @running }
      end

      # Has the thread call a block.
      #
      # @yieldparam resource [Object]
      # @return [EM::Completion] that succeeds with the block's value, or fails with what it raised (StandardError)
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

      # Ends the thread once it has done what it is at; what waits is not done.
      #
      # @return [Thread]
      # @suspends until then
      # @threadsafe yes
      def shutdown
        @running = false
        @queue << -> {}
        @thread.join
      end
    end
  end
end
