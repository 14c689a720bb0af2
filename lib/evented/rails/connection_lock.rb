# frozen_string_literal: true

module Evented
  module Rails
    # Around a connection that several use: that of a transactional test. Active Record's own belongs to one fiber, so
    # that a task would wait for the transaction around the `Evented do` that it is part of, which waits for the task.
    #
    # This one is lent to the tasks that its holder has started, one at a time: they work inside the holder's
    # transaction, and the holder goes on with it when they have left.
    #
    # @private
    class ConnectionLock
      # Who holds it, and how often.
      Holder = Struct.new(:context, :depth)
      private_constant :Holder

      def initialize
        # The one who has it, and above it those to whom it is lent.
        @holders = []
        @waiting = []
        @lock = Lock.new
      end

      # @return [Object] the block's value
      # @suspends while somebody else has it
      # @threadsafe yes
      def synchronize
        mon_enter
        begin
          yield
        ensure
          mon_exit
        end
      end

      # @return [void]
      # @suspends while somebody else has it
      # @threadsafe yes
      def mon_enter
        mon_try_enter || ActiveSupport::Dependencies.interlock.permit_concurrent_loads { wait }
      end

      # @return [Boolean]
      # @threadsafe yes
      def mon_try_enter = @lock.exclusively { take }

      # @return [void]
      # @raise [ThreadError] if another one has it
      # @threadsafe yes
      def mon_exit
        @lock.exclusively do
          holder = @holders.last
          raise ThreadError, "this is not the holder of the lock" unless holder&.context.equal?(context)

          @holders.pop if (holder.depth -= 1).zero?
          # Only those at the top of different lines of tasks wait: few.
          @waiting.each { |waiter| waiter.hand(true) if waiter.here? }.clear
        end
      end

      # @return [Boolean] whether the current task has it
      # @threadsafe yes
      def mon_owned? = @holders.last&.context.equal?(context)

      private

      def context = ActiveSupport::IsolatedExecutionState.context

      def take
        holder = @holders.last
        return false unless holder.nil? || holder.context.equal?(context) || started_by?(holder.context)

        holder&.context.equal?(context) ? holder.depth += 1 : @holders << Holder.new(context, 1)
        true
      end

      def started_by?(holder)
        starter = Fiber.current.evented_starter
        starter = starter.evented_starter until starter.nil? || starter.equal?(holder)
        !starter.nil?
      end

      def wait
        taken = false
        until taken
          waiter = nil
          @lock.exclusively { (taken = take) || (@waiting << (waiter = Waiter.new(self))) }
          begin
            waiter&.await(nil)
          ensure
            @lock.exclusively { @waiting.delete(waiter) } if waiter
          end
        end
      end
    end
    private_constant :ConnectionLock
  end
end
