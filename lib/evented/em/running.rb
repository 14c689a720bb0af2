# frozen_string_literal: true

module Evented
  # Running and stopping.
  module EM
    @early_ticks = Ticks.new

    class << self
      # Runs the reactor of this thread until {stop}, inside `Evented { … }` as a part of that. If it runs already, only
      # calls the block.
      #
      # Each thread has a reactor of its own (EventMachine has one a process).
      #
      # @param block [#call, nil] instead of a block: what to call first
      # @param tail [#call, nil] what to call when it has stopped, before connections are unbound
      # @param suspend [Boolean] false: a callback that blocks keeps all others waiting, as in EventMachine
      # @return [nil]
      # @raise what a callback raised, if there is no {error_handler} or it is no StandardError
      # @raise [Evented::Error] if this thread has another fiber scheduler
      # @suspends until it is stopped
      # @threadsafe each call runs on the thread that makes it
      def run(block = nil, tail = nil, suspend: true, &given)
        block ||= given
        tail, block = block, given if given && !block.equal?(given)
        if (reactor = Reactor.own)
          reactor.hooks.unshift(tail) if tail
          block&.call
        else
          run_reactor(block, tail, suspend)
        end
        nil
      end

      # Runs the reactor, and stops it when the block has been called.
      #
      # @suspends until then
      def run_block(&block)
        run(lambda {
          block.call
          stop
        })
      end

      # Has the reactor stop at the end of the pass. Any thread, and a signal handler.
      #
      # @return [nil]
      # @raise [RuntimeError] if none runs
      def stop
        reactor!("evma_stop_machine").stop
      end
      alias stop_event_loop stop

      # @return [Boolean] whether it is about to stop
      # @raise [RuntimeError] if none runs
      def stopping? = reactor!("evma_stopping").stopping?

      # @return [Boolean] whether a reactor runs: this thread's, or that of another thread
      # @threadsafe yes
      def reactor_running? = Reactor.any?

      # @return [Boolean] whether this thread runs one
      def reactor_thread? = !Reactor.own.nil?

      # @return [Thread, nil] whose reactor this thread means
      def reactor_thread = Reactor.current&.thread

      # Has the block be called when the reactor stops, before connections are unbound: the last one first.
      def add_shutdown_hook(&block)
        (Reactor.current&.hooks || early_hooks).push(block)
      end

      # Handles what callbacks raise (StandardError), and the reactor goes on. Without an argument: nobody does.
      def error_handler(callback = nil, &block)
        @error_handler = callback || block
      end

      # @private
      def current_error_handler = @error_handler

      # Forks; in the child a reactor runs with this block, and none of the parent's connections.
      #
      # @return [Integer] the child's pid
      def fork_reactor(&block)
        Kernel.fork do
          cleanup_machine
          run(&block)
        end
      end

      # Forgets what was left by a reactor that does not run any more: EventMachine's own tests call this.
      def cleanup_machine
        forget_all
        stop_threadpool
        @early_ticks.clear
        early_hooks.clear
        nil
      end

      # Ticks that were added while no reactor ran.
      #
      # @private
      attr_reader :early_ticks

      # The last reactor of this process has stopped.
      #
      # @private
      def wind_up
        forget_all
        stop_threadpool
      end

      # @private
      def forget_all
        [@conns, @acceptors, @timers].each(&:clear)
      end

      private

      def early_hooks = @early_hooks ||= []

      def run_reactor(block, tail, suspend)
        case (scheduler = Fiber.scheduler)
        when Scheduler
          reactor = Reactor.new(scheduler, suspend: suspend)
          reactor.hooks.concat(early_hooks)
          early_hooks.clear
          reactor.run(block, tail)
        when nil
          Evented.run { run_reactor(block, tail, suspend) }
        else
          raise Error, "this thread has another fiber scheduler (#{scheduler.class}): run EM in a thread of its own, or in Evented"
        end
      end

      def reactor!(function)
        Reactor.current or raise "eventmachine not initialized: #{function}"
      end
    end
  end
end
