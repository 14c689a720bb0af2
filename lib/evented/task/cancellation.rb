# frozen_string_literal: true

module Evented
  class Task
    # How a task is told to stop, and when it hears of it.
    module Cancellation
      # A stretch of code that is not to be interrupted.
      #
      # outer: the one around it; timeout: for how many seconds a cancelled task is protected; limit: the fiber that
      # sees to that; lifted: whether they have passed.
      Shield = Struct.new(:outer, :timeout, :limit, :lifted) do
        # Whether this or one around it still protects.
        def holds? = !lifted || (!outer.nil? && outer.holds?)

        # Whether it is the other one, or inside of it.
        def within?(other) = equal?(other) || (!outer.nil? && outer.within?(other))
      end
      private_constant :Shield

      # Asks it, and all its children, to stop: {Evented::Cancel} is raised in it where it waits, or when it next does.
      # Waiting goes on to work in its `ensure` clauses. Asking again changes nothing.
      #
      # @param reason [Object, nil] kept in the exception
      # @return [Boolean] whether it was still to be cancelled
      # @raise [Evented::WrongThreadError] if it belongs to another thread and has not ended
      # @raise [Evented::Error] in a forked child, if it runs in the parent process
      # @suspends no
      def cancel(reason = nil)
        return false if @status || @cancel

        check_thread("cancel")
        cancel_with(Cancel.new(reason, site: caller_locations(1, 1)&.first))
        true
      end

      # Puts a cancellation off while the block runs.
      #
      # @private
      def shield(timeout)
        mine = @shield = Shield.new(@shield, timeout)
        limit_clean_up(mine) if @cancel
        yield
      ensure
        if mine
          end_limit(mine)
          @shield = mine.outer
          leave_shields unless shielded?
        end
      end

      # What is to be raised in it now that it is about to wait. Called by the scheduler, in its fiber.
      #
      # @private
      def interruption
        return if @joining || shielded? || elsewhere?

        if @to_be_cancelled
          @to_be_cancelled = false
          exception = @cancel
        elsif failure_to_raise?
          cancel_children(exception = @unheard.shift.error)
        end
        expect_no_interruption unless failure_to_raise?
        exception
      end

      # @private
      def cancel_with(cancel)
        return if @status || @cancel

        @cancel = cancel
        @children&.each_key { |child| child.cancel_with(cancel) unless shelters?(child) }
        if shielded?
          @to_be_cancelled = true
          shield = @shield
          while shield
            limit_clean_up(shield)
            shield = shield.outer
          end
        elsif !@joining
          interrupt(cancel) or @to_be_cancelled = true
        end
      end

      private

      # Raises an exception in it where it waits. Tells whether that could be done; if not it is asked for when it next
      # waits.
      def interrupt(exception)
        return false unless @fiber
        # To start a task is no wait, even if the loop has its turn meanwhile.
        return expect_interruption && false if @starting
        return true if @scheduler.__interrupt(@fiber, exception)
        return true if !equal?(Task.current?) && @scheduler.__raise_inside(@fiber, exception)

        expect_interruption
        false
      end

      # Whether this is a fiber beside its own, which waits or is ready itself: one of Fiber.schedule's. An Enumerator's
      # is resumed by its own.
      def elsewhere?
        !Fiber.current.equal?(@fiber) && @scheduler.__known?(@fiber)
      end

      # Not in one that is cancelled already and cleans up.
      def failure_to_raise? = !@cancel && @unheard&.any?

      def expect_interruption
        @scheduler.__expect_interruption(true) unless @expected
        @expected = true
      end

      def expect_no_interruption
        @scheduler.__expect_interruption(false) if @expected
        @expected = false
      end

      def cancel_children(cause)
        return if @children.nil? || @children.empty?

        reason = cause ? "its sibling failed, or its parent ended with an error" : "its parent ended"
        cancel = cause.is_a?(Cancel) ? cause : Cancel.new(reason, cause: cause)
        children.each { |child| child.cancel_with(cancel) }
      end

      def shielded? = !@shield.nil? && @shield.holds?

      # Those that were started inside a shield belong to what it protects.
      def shelters?(child) = child.shelter && shielded? && @shield.within?(child.shelter)

      # No shield holds any more: what has been put off is due.
      def leave_shields
        @children&.each_key { |child| child.cancel_with(@cancel) } if @cancel
        expect_interruption if @to_be_cancelled || failure_to_raise?
      end

      # From now on the shield only holds for so long.
      def limit_clean_up(shield)
        return if shield.timeout.nil? || shield.limit || shield.lifted

        shield.limit = @scheduler.fiber do
          sleep shield.timeout
          shield.limit = nil
          shield.lifted = true
          leave_shields unless shielded?
          @to_be_cancelled = !interrupt(@cancel) if @to_be_cancelled && !shielded?
        rescue Scheduler::Closing
          nil # the block has ended in time
        end
      end

      # Nobody waits for a limit that is not needed any more.
      def end_limit(shield)
        @scheduler.__interrupt(shield.limit, Scheduler::Closing.new) if shield.limit
      end
    end
    private_constant :Cancellation
  end
end
