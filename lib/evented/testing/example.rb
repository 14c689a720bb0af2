# frozen_string_literal: true

require_relative "leaks"
require_relative "settings"
require_relative "time_limit"

module Evented
  module Testing
    # Something was left over at the end of an example.
    class Leak < Error; end

    # The time of an example was up. Raised in it, where it waits. No StandardError, so that `rescue => error` lets it
    # pass.
    class Expired < Exception; end # rubocop:disable Lint/InheritException

    # One example of a test suite, with its setup and teardown, as a task of a reactor. What all test frameworks share.
    #
    # @private
    class Example
      # How long what an example started may take to end by itself once the example has ended, and then to clean up
      # when it is cancelled, in seconds.
      GRACE = 0.1
      CLEAN_UP = 1
      # After its time is up: how long its teardown may take, how often to try to tell it, and after how many seconds
      # in vain to say so.
      TEARDOWN = 5
      RETRY = 0.05
      PATIENCE = 1
      FATAL = [SystemExit, SignalException, NoMemoryError].freeze
      private_constant :GRACE, :CLEAN_UP, :TEARDOWN, :RETRY, :PATIENCE, :FATAL

      # Leaves a reactor in which somebody does not end: closing it does the rest. Not an exit, but a way out that
      # tasks know.
      class Abandoned < SystemExit; end
      private_constant :Abandoned

      # Told by the reactor, on its thread, that the time is up.
      #
      # @private
      class Messenger
        # @private
        def initialize(example)
          @example = example
        end

        # @private
        def alive? = true

        # @private
        def raise(_) = @example.expire
      end
      private_constant :Messenger

      # @return [Boolean] whether it has failed anyway, or broken off: what it leaves over is ended, and not spoken of
      attr_writer :failed

      # @param name [String] for the tree of tasks, and to derive a seed from
      # @param location [String, nil] file and line
      # @param settings [Settings]
      # @param suite_seed [Integer, nil]
      def initialize(name, location, settings, suite_seed: nil)
        @name = name
        @location = location
        @settings = settings
        @seed = choose_seed(suite_seed)
        @failures = []
        @ended = @checked = @abandon = @told = @failed = false
      end

      # Runs the block in a reactor of its own, or in the one that runs on this thread already.
      #
      # @return [Object, nil] the block's value; nil if it could not even begin
      # @raise what the block raised
      # @suspends inside a reactor, if the block does
      # @threadsafe examples may run on several threads at the same time
      def run(&)
        value = nil
        seed_before = Scheduler.seed
        TimeLimit.watch(self, @settings.timeout) do
          Leaks.while_running { in_reactor { |task| value = live(task, &) } }
        end
        value
      rescue Abandoned
        value
      rescue *FATAL
        raise
      rescue Exception => e # rubocop:disable Lint/RescueException
        # What the block itself raises is the framework's.
        raise if @task && !@ended

        blame(e)
        value
      ensure
        Scheduler.seed = seed_before
      end

      # Finds out what was left over, and ends it. Happens by itself after the block, and once.
      #
      # @return [void]
      # @suspends until all of it has ended, for a while
      def check
        return if @checked

        @checked = true
        hear_all
        patiently(GRACE) { quiet? || !@leaks.pending? }
        # Who was interrupted by a failure could not wait for what it had started.
        quiet = quiet?
        leak(@leaks.report_on_tasks) unless quiet
        end_tasks
        leak(@leaks.report_on_fibers) unless quiet
        return @abandon = true if @leaks.tasks.any? || @leaks.fibers.any?

        check_descriptors unless quiet
      end

      # @return [Array<Exception>] what went wrong and was not raised in the block; they are forgotten
      def take_failures = @failures.slice!(0..)

      # The exception, or those it consists of, each saying by which seed it can be had again.
      #
      # @return [Array<Exception>]
      def explain(exception)
        @failed = true
        return parts(exception) unless note

        parts(exception).map do |error|
          error.message.include?(note) ? error : error.exception("#{error.message}\n#{note}")
        end
      end

      # @return [Array<Exception>]
      def parts(exception)
        exception.is_a?(MultipleErrors) ? exception.errors.flat_map { |error| parts(error) } : [exception]
      end

      # @return [String, nil]
      def note = active_seed && "EVENTED_SEED=#{active_seed}"

      # Called by the thread that watches the time.
      #
      # @return [Numeric] after how many seconds to call again
      # @private
      def time_is_up
        return RETRY unless @fiber

        @overdue ||= now
        complain if !@told && now - @overdue > PATIENCE
        @scheduler.fiber_interrupt(Messenger.new(self), Expired.new)
        RETRY
      rescue Error # it is being closed
        RETRY
      end

      # Called by the reactor.
      #
      # @private
      def expire
        return unless @overdue && @fiber

        error = Expired.new("#{@name} has not ended after #{@settings.timeout} s\n#{tree}")
        return unless @scheduler.__interrupt(@fiber, error) || @scheduler.__raise_inside(@fiber, error)

        @overdue = nil
        @failed = true
        TimeLimit.extend_to(self, TEARDOWN)
      end

      private

      def choose_seed(suite_seed)
        fixed = ENV.fetch("EVENTED_SEED", "")
        return Integer(fixed) unless fixed.empty?

        return unless @settings.shuffle

        # The name's share is the same in every process, which String#hash is not.
        @name.each_byte.reduce(suite_seed || Random.seed) { |sum, byte| ((sum * 31) + byte) % (2**31) }
      end

      def active_seed = Scheduler.seed || @seed

      def in_reactor(&)
        (task = Task.current?) ? yield(task) : Task.run(name: @name, &)
      end

      def live(task)
        @task = task
        @scheduler = task.scheduler
        @leaks = Leaks.new(task, @settings)
        @scheduler.__seed = @seed if @seed
        @thread = Thread.current
        @fiber = Fiber.current
        value = yield
        @ended = true
        check
        value
      ensure
        @fiber = nil
        # The example may have chosen one itself.
        @seed = active_seed
        @scheduler.__seed = Scheduler.seed if @seed
        # Somebody else's reactor goes on, whatever is left in it.
        raise Abandoned if @abandon && task.equal?(@scheduler.root) && task.name.equal?(@name)
      end

      # Failures of tasks that nobody waited for are raised where the example waits.
      def hear_all
        until hear { Kernel.sleep(0) }; end
      end

      # @return [Boolean] whether nothing was raised
      def hear
        yield
        true
      rescue *FATAL
        raise
      rescue Exception => e # rubocop:disable Lint/RescueException
        blame(e)
        false
      end

      def patiently(seconds)
        limit = now + seconds
        pause = 0
        until yield || now >= limit
          hear { Kernel.sleep(pause) }
          pause = 0.001
        end
      end

      def quiet? = @failed || @failures.any?

      def end_tasks
        @leaks.tasks.each { |task| task.cancel("the example has ended") }
        patiently(CLEAN_UP) { @leaks.tasks.empty? }
        hear_all
        leak("tasks that ignored being cancelled:\n#{Dump.new(@leaks.tasks)}") if @leaks.tasks.any?
      end

      def check_descriptors
        report = nil
        # A server's thread may be just about to close its side.
        patiently(GRACE) { (report = @leaks.report_on_descriptors).nil? }
        leak(report)
      end

      def leak(text)
        blame(Leak.new(text.chomp)) if text
      end

      def blame(error)
        error.set_backtrace([@location].compact) unless error.backtrace
        @failures << error
      end

      def tree = Dump.new([@scheduler.root || @task])

      # Nothing ends Ruby code that never waits.
      def complain
        @told = true
        warn "\n#{@name} has not ended after #{@settings.timeout} s, and can't be ended because it computes, or " \
             "blocks its thread. It stands at:", *@thread.backtrace&.map { |line| "    #{line}" }
      end

      def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
    private_constant :Example
  end
end
