# frozen_string_literal: true

module Evented
  module EM
    # What `EM.run` runs: the callbacks of one thread. The native half decides what is to be called, and when; this is
    # whom it calls for everything that happens once a connection, or rarer.
    #
    # @private
    class Reactor
      # Callbacks that have suspended get so long to clean up after they were cancelled, in seconds.
      CLEAN_UP_SECONDS = 5
      private_constant :CLEAN_UP_SECONDS

      @all = {}.compare_by_identity

      class << self
        # This thread's reactor; in a thread without one, that of the thread that was the first to run one.
        #
        # @return [Reactor, nil]
        def current
          reactor = @all[Thread.current] || @all.each_value.first or return
          return reactor if reactor.pid == Process.pid

          @all.clear
          nil
        end

        # @return [Reactor, nil] this thread's
        def own
          current
          @all[Thread.current]
        end

        # It begins to run.
        def enter(reactor) = @all[Thread.current] = reactor

        # It has stopped.
        def leave(reactor) = @all.delete_if { |_, other| other.equal?(reactor) }

        # Whether any runs in this process.
        def any? = !current.nil?
      end

      attr_reader :scheduler, :thread, :pid, :ticks, :hooks
      # What watches files, once any is watched.
      attr_accessor :inotify

      # @param scheduler [Evented::Scheduler] of this thread
      # @param suspend [Boolean] whether callbacks may suspend, and others be called meanwhile
      def initialize(scheduler, suspend: true)
        @scheduler = scheduler
        @suspend = suspend
        @thread = Thread.current
        @pid = Process.pid
        @ticks = Ticks.new
        @hooks = []
        @fibers = {}.compare_by_identity
        @over = false
        @failure = nil
      end

      # Until it is stopped, or a callback raises what nobody handles.
      #
      # @raise what that callback raised, after the streams have been unbound
      # @suspends until then
      def run(block, tail)
        @fiber = Fiber.current
        @storage = @fiber.storage
        Reactor.enter(self)
        @scheduler.__open_streams(self)
        @hooks.push(tail) if tail
        EM.add_timer(0, block) if block
        @ticks.take(EM.early_ticks)
        EM.signal_loopbreak
        @scheduler.block(self, nil) until @over
      ensure
        shut_down
      end

      # Has it stop at the end of the pass, or of the next.
      def stop = EM.__stop(@scheduler)

      # Whether it is about to stop.
      def stopping? = EM.__stopping?(@scheduler)

      # Has `tick` be called soon. Any thread, and a signal handler.
      def signal = EM.__want_ticks(@scheduler)

      # Calls something in the next pass; at once if there is none any more. Any thread.
      def call_soon(callable)
        return callable.call if @over

        @ticks.push(callable)
        signal
      end

      # Runs something in a fiber that is treated as a callback is.
      #
      # @return [Fiber]
      def fiber(block)
        @scheduler.fiber(blocking: false, storage: @storage) do
          @fibers[Fiber.current] = true
          run_alone(block)
        end
      end

      # @!group What the native half calls

      # @return [Fiber] for callbacks
      def callback_fiber
        fiber = Fiber.new(blocking: !@suspend, storage: @storage) { serve }
        @fibers[fiber] = true
        fiber
      end

      # Calls what a timer is for.
      def timer_due(signature) = EM.timer_due(signature)

      # Calls one tick.
      #
      # @return [true, 1, nil] true if there is another for this pass, 1 if there is one for the next
      def tick
        return true if @ticks.call_one

        @ticks.empty? ? nil : 1
      end

      # Makes the object of a connection that has come.
      def accepted(server, signature) = EM.accepted(server, signature)

      # The last callback of a stream. What it raises does not keep the others from theirs.
      def unbound(signature, connection, errno)
        EM.unbound(signature, connection, errno)
      rescue Exception => e # rubocop:disable Lint/RescueException
        # Who waits when the reactor stops is cancelled, which is no failure. (From Ruby 3.4 on closing a file waits.)
        return if @over && e.is_a?(Cancel)

        # Those that are left hear of their end as well.
        handle(e) { fail_with(e, at_once: false) }
      end

      # The pass is over in which it was to stop.
      def stopped
        @over = true
        @scheduler.unblock(self, @fiber)
      end

      # @!endgroup

      private

      # The life of a callback fiber.
      def serve
        loop do
          begin
            @scheduler.__pass
          rescue Exception => e # rubocop:disable Lint/RescueException
            next if survives?(e)

            break
          end
          break if @over || !@scheduler.__await_pass
        end
      ensure
        @fibers.delete(Fiber.current)
      end

      def run_alone(block)
        block.call
      rescue Exception => e # rubocop:disable Lint/RescueException
        survives?(e)
      ensure
        @fibers.delete(Fiber.current)
      end

      # Whether the pass goes on after a callback has raised.
      def survives?(error)
        return false if @over

        handle(error) do
          fail_with(error)
          return false
        end
        true
      end

      # Gives an error to the program's handler; to the block if there is none.
      def handle(error)
        handler = EM.current_error_handler
        return yield unless handler && error.is_a?(StandardError)

        begin
          handler.call(error)
        rescue Exception => e # rubocop:disable Lint/RescueException
          fail_with(e)
        end
      end

      def fail_with(error, at_once: true)
        @failure ||= error
        return stop unless at_once

        @scheduler.__halt_streams
        stopped
      end

      # Hooks, then `unbind` of every connection, then nothing is left.
      def shut_down
        @scheduler.__halt_streams
        run_hooks
        unbind_all
        cancel_callbacks
      ensure
        leave
        failure = @failure
        @failure = nil
        raise failure if failure
      end

      def run_hooks
        while (hook = @hooks.pop)
          begin
            hook.call
          rescue Exception => e # rubocop:disable Lint/RescueException
            @failure ||= e
          end
        end
      end

      def unbind_all
        @inotify&.forget_all
        @scheduler.__unbind_streams
      rescue Exception => e # rubocop:disable Lint/RescueException
        @failure ||= e
        retry
      end

      # Callbacks that wait for something don't outlive their reactor.
      def cancel_callbacks
        @over = true
        waiting = -> { @fibers.each_key.select { |fiber| fiber.alive? && @scheduler.__parked?(fiber) } }
        waiting.call.each { |fiber| @scheduler.__interrupt(fiber, Cancel.new("the EM reactor has stopped")) }
        limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + CLEAN_UP_SECONDS
        @scheduler.kernel_sleep(0) until waiting.call.empty? || Process.clock_gettime(Process::CLOCK_MONOTONIC) > limit
      end

      def leave
        Reactor.leave(self)
        @ticks.clear
        @scheduler.__reset_streams
        EM.wind_up unless Reactor.any?
      end
    end
    private_constant :Reactor
  end
end
