# frozen_string_literal: true

module Evented
  module EM
    # Something that is notified, and then calls its block in the reactor's next pass: {EM.spawn}.
    class SpawnedProcess
      # Has the block be called with these arguments.
      #
      # @threadsafe yes
      def notify(*arguments)
        me = self
        EM.next_tick do
          # Its yielded successors come and go in `run`.
          y = me.call(*arguments)
          y.pull_out_yield_block(me) if y.is_a?(YieldBlockFromSpawnedProcess)
          notify if y.is_a?(YieldBlockFromSpawnedProcess) && y.should_notify?
        end
      end
      alias resume notify
      alias run notify

      # @private
      def call(*arguments) = instance_exec(*arguments, &@receiver)

      # What is called from now on.
      #
      # @private
      def set_receiver(block)
        (class << self; self; end).class_eval { remove_method(:call) if method_defined?(:call, false) }
        @receiver = block
      end
    end

    # What a spawned block returns to be gone on with another block: {EM.yield}.
    class YieldBlockFromSpawnedProcess
      def initialize(block, notify)
        @block = block
        @notify = notify
      end

      # @private
      def pull_out_yield_block(process = nil)
        process&.set_receiver(@block)
        @block
      end

      # Whether it is notified at once.
      def should_notify? = @notify
    end

    class << self
      # @return [SpawnedProcess] that calls the block each time it is notified
      def spawn(&block)
        process = SpawnedProcess.new
        process.set_receiver(block)
        process
      end

      # In a spawned block, as its value: the next time, this block is called.
      #
      # @return [YieldBlockFromSpawnedProcess]
      def yield(&block) = YieldBlockFromSpawnedProcess.new(block, false)

      # As {yield}, and that is notified at once.
      #
      # @return [YieldBlockFromSpawnedProcess]
      def yield_and_notify(&block) = YieldBlockFromSpawnedProcess.new(block, true)
    end
  end
end
