# frozen_string_literal: true

module Evented
  class Task
    # How a task runs, waits for its children and ends; and what it does about those that fail.
    module Life
      # Those end the process or the thread, and so leave the loop at once.
      FATAL = [SystemExit, SignalException].freeze
      private_constant :FATAL

      # @private
      def start
        # In here, because something can be raised from outside at any time.
        @parent&.adopt(self)
        @surroundings = Task.surroundings&.for(self)
        worker = Worker.run(self, @scheduler)
        # Something was raised in its fiber, from outside, before it began.
        never_begin unless @status || @fiber || worker.alive?
      rescue Exception # rubocop:disable Lint/RescueException
        # It may have run, and raised what leaves the loop; or there was no room for its fiber.
        never_begin unless @fiber || @status
        raise
      end

      # A root: until the loop of its reactor has ended.
      #
      # @private
      def run_to_the_end
        @scheduler.root = self
        surround
        Fiber.set_scheduler(@scheduler)
        begin
          @scheduler.__enter(Fiber.new(blocking: false) { perform })
          @scheduler.run
        ensure
          Fiber.set_scheduler(nil)
        end
        raise @error if @status == :failed
      end

      # Raises in a root task what only somebody outside could mend: where it waits, or out of its reactor, if that did
      # not help: children may ignore that they are cancelled.
      #
      # @private
      def stuck(error)
        helpless = @interrupted&.any?(error.class)
        raise error if helpless || !@fiber || !@scheduler.__interrupt(@fiber, error)
      end

      # The whole life of a task, in a fiber that it has for itself.
      #
      # @private
      def perform
        outcome = :cancelled # if neither of the two below: Fiber#kill
        begin
          @fiber = Fiber.current
          # Fibers that are started in here inherit it, Enumerators' too.
          Fiber[:__evented_task] = self
          @value = @surroundings ? @surroundings.run { @block.call(self) } : @block.call(self)
          outcome = :completed
        rescue Exception => e # rubocop:disable Lint/RescueException
          @error = e
          outcome = e.equal?(@cancel) || Scheduler::Closing === e ? :cancelled : :failed # rubocop:disable Style/CaseEquality
        ensure
          begin
            join(outcome) if @children && !fatal?
          ensure
            # A killed fiber is not let wait: its children are cancelled, and clean up on their own.
            settle(outcome)
          end
        end
        raise @error if @error && (fatal? || (@status == :failed && equal?(@scheduler.root)))
      end

      # Its parent, or who else waited, has heard that it failed.
      #
      # @private
      def forgive(child)
        @unheard&.delete(child)
      end

      # @private
      def adopt(child)
        (@children ||= {}.compare_by_identity)[child] = true
        @transients += 1 if child.transient?
      end

      # @private
      def forget(child)
        @transients -= 1 if @children&.delete(child) && child.transient?
      end

      protected

      # A child has ended: in its fiber.
      def child_ended(child)
        forget(child)
        child_failed(child) if child.unheard?
        # Transient ones alone don't keep it.
        @scheduler.unblock(self, @fiber) if @joining && @fiber && @children.size == @transients
      end

      # Nobody waits for a child that failed.
      def child_failed(child)
        return @parent&.child_failed(child) if @status

        (@unheard ||= []) << child
        return cancel_children(child.error) if @joining
        return if @cancel || shielded?

        cancel_children(child.error) if interrupt(child.error) && @unheard.delete(child)
      end

      def unheard? = @status == :failed && !@heard && (@waiters.nil? || @waiters.empty?)

      private

      # Waits for the children; without a value to wait for, cancels them first.
      def join(outcome)
        forget_those_of_the_parent_process if @scheduler.__reborn?
        @joining = true
        cancel_children(@error) if outcome != :completed || @cancel
        until @children.empty?
          cancel_children(nil) if @children.size == @transients
          begin
            @scheduler.block(self, nil)
          rescue *FATAL => e
            return @error = e
          rescue Exception => e # rubocop:disable Lint/RescueException
            (@interrupted ||= []) << e unless Scheduler::Closing === e # rubocop:disable Style/CaseEquality
            cancel_children(e)
          end
        end
      end

      # In a forked child there is no fiber but the one that forked, and those it started.
      def forget_those_of_the_parent_process
        @children.select! { |child, _| child.epoch == @scheduler.__epoch }
        @transients = @children.keys.count(&:transient?)
      end

      # They may refuse it, and then there is no reactor.
      def surround
        @surroundings = Task.surroundings&.for(self)
      rescue Exception # rubocop:disable Lint/RescueException
        never_begin
        @scheduler.close
        raise
      end

      def never_begin
        @status = :cancelled
        @error = @cancel || Cancel.new("it never began")
        @parent&.forget(self)
      end

      def settle(outcome)
        gather_failures(outcome) if outcome == :failed || @unheard || @interrupted
        @status ||= outcome
        @error ||= @cancel || Cancel.new("its fiber was killed") if @status == :cancelled
        @value = nil unless @status == :completed
        @block = @surroundings = nil
        expect_no_interruption if @expected
        @waiters&.each { |fiber| @scheduler.unblock(self, fiber) }
        call_back if @callbacks
      ensure
        @parent&.child_ended(self)
        @fiber = nil
      end

      # Its own, those of the children that nobody heard of, and what was raised in it while it waited for them.
      def gather_failures(outcome)
        errors = [(@error if outcome == :failed), *@interrupted, *@unheard&.map(&:error)].compact.uniq(&:object_id)
        @unheard = @interrupted = nil
        return if errors.empty?

        @error = errors.size > 1 ? MultipleErrors.new(errors) : errors.first
        @status = :failed
      end

      def call_back
        @callbacks.each do |callback|
          callback.call(self)
        rescue StandardError, ScriptError => e
          # Whatever became of the task: a failure of this one is the parent's to hear of.
          @status = :failed
          @error = @error ? MultipleErrors.new([@error, e]) : e
          @heard = false
        end
        @callbacks = nil
      end

      def fatal?
        @error && FATAL.any? { |fatal| fatal === @error } # rubocop:disable Style/CaseEquality
      end
    end
    private_constant :Life
  end
end
