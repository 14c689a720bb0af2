# frozen_string_literal: true

module Evented
  module EM
    # Raised by {Deferrable#wait} when the deferrable has failed with something that is no exception.
    class DeferrableFailed < Error
      # @return [Array] what it failed with
      attr_reader :arguments

      def initialize(arguments)
        @arguments = arguments
        super("the deferrable failed#{": #{arguments.map(&:inspect).join(", ")}" unless arguments.empty?}")
      end
    end

    # Something whose outcome is not known yet: it will succeed or fail, and whoever wants to know gives a callback or
    # an errback. Both are called in the order in which they were given, and each once.
    module Deferrable
      autoload :Pool, "#{__dir__}/deferrable/pool"

      # Adds a callback and an errback to what may be a deferrable.
      #
      # @param arg [Object, #call] or what returns it
      # @param cb [Proc, nil] or a block
      # @param eb [Proc, nil]
      # @return [Object] it; if it is no deferrable, nothing is called
      # @suspends no, unless `arg` or a callback does
      def self.future(arg, cb = nil, eb = nil, &blk)
        arg = arg.call if arg.respond_to?(:call)
        return arg unless arg.respond_to?(:set_deferred_status)

        callback = cb || blk
        arg.callback(&callback) if callback
        arg.errback(&eb) if eb
        arg
      end

      # What is called if it succeeds, with what it succeeded with: at once if it has.
      #
      # @return [self, nil] nil without a block
      def callback(&block)
        return unless block

        case @deferred_status
        when :succeeded then block.call(*@deferred_args)
        when :failed then nil
        else (@callbacks ||= []).push(block)
        end
        self
      end

      # What is called if it fails, with what it failed with: at once if it has.
      #
      # @return [self, nil] nil without a block
      def errback(&block)
        return unless block

        case @deferred_status
        when :failed then block.call(*@deferred_args)
        when :succeeded then nil
        else (@errbacks ||= []).push(block)
        end
        self
      end

      # Takes a callback back.
      def cancel_callback(block) = @callbacks&.delete(block)

      # Takes an errback back.
      def cancel_errback(block) = @errbacks&.delete(block)

      # Succeeds or fails; or, with `:unknown`, is open again. A callback may set another status, or other arguments,
      # for those that follow.
      #
      # @param status [:succeeded, :failed, :unknown]
      def set_deferred_status(status, *arguments)
        cancel_timeout
        @errbacks ||= nil
        @callbacks ||= nil
        @deferred_status = status
        @deferred_args = arguments
        case status
        when :succeeded then settle(@callbacks, @errbacks)
        when :failed then settle(@errbacks, @callbacks)
        end
      end

      # Fails unless it is settled in time.
      #
      # @param seconds [Numeric]
      # @param arguments what it fails with
      def timeout(seconds, *arguments)
        cancel_timeout
        @deferred_timeout = EM.add_timer(seconds) { self.fail(*arguments) }
        self
      end

      # Takes {#timeout} back.
      def cancel_timeout
        timer = @deferred_timeout ||= nil
        return unless timer

        @deferred_timeout = nil
        EM.cancel_timer(timer)
        nil
      end

      # Succeeds.
      def succeed(*) = set_deferred_status(:succeeded, *)
      alias set_deferred_success succeed

      # Fails.
      def fail(*) = set_deferred_status(:failed, *)
      alias set_deferred_failure fail

      # Waits until it has succeeded or failed, on the reactor's thread: in callbacks, in {EM.fiber} and in tasks.
      #
      # @param timeout [Numeric, nil] seconds
      # @return [Object] what it succeeded with: nil for nothing, an Array for several
      # @raise what it failed with, if that is an exception
      # @raise [EM::DeferrableFailed] if it failed with anything else
      # @raise [Evented::TimeoutError] if the time is up first
      # @suspends until then
      def wait(timeout: nil)
        promise = Promise.new
        done = proc { |*values| promise.try_resolve(values) }
        failed = proc { |*values| promise.try_reject(Deferrable.failure(values)) }
        callback(&done)
        errback(&failed)
        values = promise.value(timeout: timeout)
        values.size > 1 ? values : values.first
      ensure
        # Nobody waits any more, if the time was up or it was cancelled.
        unless promise.nil? || promise.settled?
          cancel_callback(done)
          cancel_errback(failed)
        end
      end

      # @private
      def self.failure(values) = values.first.is_a?(Exception) ? values.first : DeferrableFailed.new(values)

      private

      # The arguments are read anew each time: a callback may have changed them. It may also have decided for the
      # opposite, and so that is dropped last.
      def settle(called, dropped)
        while called && (block = called.shift)
          block.call(*@deferred_args)
        end
        dropped&.clear
        nil
      end
    end

    # A {Deferrable} and nothing else.
    class DefaultDeferrable
      include Deferrable
    end
  end
end
