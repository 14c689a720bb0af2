# frozen_string_literal: true

module Evented
  module EM
    # Work that is notified, and then called in the reactor's next pass: {EM.spawn}. Its block is evaluated as a method
    # of it. With {EM.yield} as its value the block hands over to another, which is called from then on.
    class SpawnedProcess
      # Has the block be called, in the next pass.
      #
      # @param arguments what it gets
      # @return [nil]
      # @suspends no
      # @threadsafe yes
      def notify(*arguments)
        EM.next_tick { go_on(arguments) }
      end
      alias resume notify
      alias run notify

      # What is called from now on.
      #
      # @param block [Proc]
      # @private
      def set_receiver(block)
        @receiver = block
      end

      private

      def go_on(arguments)
        yielded = instance_exec(*arguments, &@receiver)
        return unless yielded.is_a?(YieldBlockFromSpawnedProcess)

        block, at_once = yielded.pull_out_yield_block
        set_receiver(block)
        notify if at_once
      end
    end

    # What a spawned block hands over to: {EM.yield}.
    class YieldBlockFromSpawnedProcess
      # @param block [Proc]
      # @param notify [Boolean] whether it is called without anybody asking for it
      def initialize(block, notify)
        @block = block
        @notify = notify
      end

      # @return [Array(Proc, Boolean)]
      # @private
      def pull_out_yield_block = [@block, @notify]
    end

    class << self
      # @yieldparam arguments what it is notified with
      # @return [SpawnedProcess]
      # @raise [ArgumentError] without a block
      def spawn(&block)
        raise ArgumentError, "EM.spawn needs a block" unless block

        process = SpawnedProcess.new
        process.set_receiver(block)
        process
      end

      # As the value of a spawned block: the next notification calls this block.
      #
      # @return [YieldBlockFromSpawnedProcess]
      def yield(&block) = YieldBlockFromSpawnedProcess.new(block, false)

      # As the value of a spawned block: this block is called in the next pass.
      #
      # @return [YieldBlockFromSpawnedProcess]
      def yield_and_notify(&block) = YieldBlockFromSpawnedProcess.new(block, true)
    end
  end
end
