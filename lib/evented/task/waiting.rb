# frozen_string_literal: true

module Evented
  class Task
    # Waiting for a task to end.
    module Waiting
      # Waits until it has ended.
      #
      # @return [Object] the block's value
      # @raise what the block raised, or {Evented::MultipleErrors}
      # @raise [Evented::Cancel] if it was cancelled
      # @raise [Evented::Error] if it could never end, because it waits for the caller
      # @raise [Evented::WrongThreadError] if it belongs to another thread and has not ended
      # @suspends unless it has ended
      # @threadsafe once it has ended
      def wait
        await unless @status
        heard
        raise @error if @error

        @value
      end
      alias value wait

      # Waits until it has ended, and raises nothing.
      #
      # @return [Symbol] its status
      # @suspends unless it has ended
      # @private
      def ended
        await unless @status
        @status
      end

      # Whether it was started by a task, or by one that was, and so on.
      #
      # @private
      def inside?(task)
        ancestor = @parent
        ancestor = ancestor.parent until ancestor.nil? || ancestor.equal?(task)
        !ancestor.nil?
      end

      # @param awaited [Evented::Task, Evented::Barrier, nil]
      # @private
      def waits_for(awaited)
        @waiting_for = awaited
      end

      # @private
      def heard
        @heard = true
        @parent&.forgive(self)
      end

      # Follows who waits for whom. A task also waits for its children, so one of those can't wait for it.
      #
      # @private
      def check_circle(waiting, asked = self)
        awaited = self
        while awaited && waiting
          raise Error, circle(waiting, asked) if awaited.equal?(waiting) || waiting.inside?(awaited)

          awaited = awaited.waiting_for
          return awaited.tasks.each { |task| task.check_circle(waiting, asked) } if awaited.is_a?(Barrier)
        end
      end

      # Has a fiber woken when it has ended; until {#unwatch} its failure is that one's to hear of.
      #
      # @private
      def watch(fiber)
        check_thread("wait for")
        check_circle(Task.current?)
        (@waiters ||= []) << fiber
      end

      # @private
      def unwatch(fiber)
        return unless @waiters&.delete(fiber)

        @parent&.child_failed(self) if @status == :failed && unheard?
      end

      # Somebody will hear its failure, or hand it back.
      #
      # @return [Boolean] whether its parent had been told, and was still to raise it
      # @private
      def claim
        return false if @status != :failed || @heard

        @heard = :claimed
        !@parent&.forgive(self).nil?
      end

      # Whether nobody has heard its failure since.
      #
      # @private
      def claimed? = @heard == :claimed

      # Its failure goes where it goes if nobody waits for it.
      #
      # @private
      def disclaim
        return unless claimed?

        @heard = false
        @parent&.child_failed(self)
      end

      private

      def await
        check_thread("wait for")
        waiting = Task.current?
        check_circle(waiting)
        fiber = Fiber.current
        (@waiters ||= []) << fiber
        begin
          waiting&.waits_for(self)
          @scheduler.block(self, nil) until @status
        ensure
          waiting&.waits_for(nil)
          @waiters.delete(fiber)
          # Interrupted at the very moment at which it would have heard.
          @parent&.child_failed(self) if @status == :failed && $! && unheard?
        end
      end

      def circle(waiting, asked)
        return "a task can't wait for itself" if asked.equal?(waiting)

        "#{waiting.inspect} can't wait for #{asked.inspect}, which can't end before it: neither would ever go on"
      end
    end
    private_constant :Waiting
  end
end
