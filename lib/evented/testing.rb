# frozen_string_literal: true

require_relative "testing/class_settings"
require_relative "testing/example"
require_relative "testing/settings"

module Evented
  # For tests: time that does not have to be waited for, and an order of fibers that can be had again; and how
  # `evented/minitest`, `evented/rspec` and `evented/test-unit` run examples.
  module Testing
    @settings = Settings.new

    class << self
      # @return [Evented::Testing::Settings] how examples are run that say nothing else
      attr_reader :settings

      # Sets how examples are run; what is not given stays as it is.
      #
      # @param settings [Hash] see {Settings}: `timeout:`, `leaks:`, `allow:`, `shuffle:`
      # @return [Evented::Testing::Settings]
      # @raise [ArgumentError] if one of them is unknown or makes no sense
      def configure(**settings)
        @settings = @settings.with(**settings)
      end

      # An example of a test suite, for whoever makes a test framework run in a reactor.
      #
      # @private
      def example(name, location:, settings:, suite_seed: nil)
        Example.new(name, location, settings, suite_seed: suite_seed)
      end

      # Has a thread not count as one that could still wake somebody, as Ruby's Timeout marks its own.
      #
      # @private
      def disregard(thread)
        thread.thread_variable_set(:"\x00__detached_thread__", true)
      end

      # Runs the block, and what it starts, in a reactor whose clock stands still, and jumps to the next deadline
      # whenever nothing else can run: `sleep 3600` takes no time. `Process.clock_gettime` and `Time.now`
      # are not affected; {Evented.clock} is.
      # Ruby itself measures the timeouts of its `Queue#pop` and `Thread#join`, so those raise; {Evented.timeout} does
      # it, and so do {Queue} and {LimitedQueue}.
      #
      # @yieldparam task [Evented::Task] the task that the block is
      # @return [Object] the block's value
      # @raise [Evented::Error] if time would have to jump while somebody waits for a descriptor or a process: those
      #   take real time. What the block started is cancelled then
      # @raise [ArgumentError] if there is no block
      # @suspends if the block does
      # @threadsafe each call is about this thread's reactor
      def virtual_time
        raise ArgumentError, "virtual_time needs a block" unless block_given?

        Queuing.keep_virtual_time
        Evented.run do |task|
          Fiber.scheduler.virtual_time(task) do
            # What the block starts is to end in virtual time too, whatever happens.
            Scope.new("virtual time").run { |scope| yield scope.task }
          end
        end
      end

      # Has the fibers of a turn run in an order that depends on the number alone, in this thread's reactor, and in
      # those that are made from now on.
      #
      # @param number [Integer, nil] nil restores the usual order
      # @return [Integer, nil] the number
      # @raise [TypeError] if it is no integer
      # @suspends no
      def seed(number)
        raise TypeError, "a seed is an Integer, not #{number.inspect}" unless number.nil? || number.is_a?(Integer)

        Scheduler.seed = number && (number % (2**64))
        Fiber.scheduler.__seed = Scheduler.seed if Fiber.scheduler.is_a?(Scheduler)
        number
      end
    end
  end
end
