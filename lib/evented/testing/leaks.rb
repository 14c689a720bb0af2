# frozen_string_literal: true

module Evented
  module Testing
    # What is there at the end of an example and was not at its beginning.
    #
    # @private
    class Leaks
      # Where the system lists this process's descriptors.
      DIRECTORY = %w[/proc/self/fd /dev/fd].find { |directory| File.directory?(directory) }
      LIB = File.expand_path("..", __dir__).freeze
      private_constant :DIRECTORY, :LIB

      @lock = Thread::Mutex.new
      @running = 0
      @together = false

      class << self
        # Descriptors belong to the process: among examples that run at the same time nobody knows whose they are.
        #
        # @threadsafe yes
        def while_running
          @lock.synchronize { @together = true if (@running += 1) > 1 }
          yield
        ensure
          @lock.synchronize { @together = false if (@running -= 1).zero? }
        end

        # @return [Boolean]
        def alone? = !@together
      end

      # @param task [Evented::Task] the example's
      # @param settings [Settings]
      def initialize(task, settings)
        @task = task
        @settings = settings
        @tasks_before = task.children
        @fibers_before = task.scheduler.__waiting << Fiber.current
        @descriptors_before = wanted?(:descriptors) ? descriptors : {}
      end

      # @return [Array<Evented::Task>] also those that are allowed, and transient ones
      def tasks = @task.children - @tasks_before

      # @return [Array<Fiber>] those that wait and are no task's; also those that are allowed
      def fibers
        @task.scheduler.__waiting - @fibers_before - tasks_below(@task).filter_map(&:fiber)
      end

      # @return [Boolean] whether anything is left that should end
      def pending? = tasks.any? { |task| !task.transient? } || fibers.any?

      # @return [String, nil] what to say of the tasks that should have ended
      def report_on_tasks
        return unless wanted?(:tasks)

        leaked = tasks.reject { |task| task.transient? || @settings.allow?(task, task.inspect) }
        return if leaked.empty?

        "#{count(leaked, "task")} left over, to be waited for, cancelled, or started with transient: true\n" \
          "#{Dump.new(leaked)}"
      end

      # @return [String, nil]
      def report_on_fibers
        return unless wanted?(:fibers)

        leaked = fibers.to_h { |fiber| [fiber, describe_fiber(fiber)] }
        leaked.reject! { |fiber, description| @settings.allow?(fiber, description) }
        return if leaked.empty?

        "#{count(leaked, "fiber")} of Fiber.schedule left over, to be told to end\n#{lines(leaked)}"
      end

      # @return [String, nil]
      def report_on_descriptors
        return unless wanted?(:descriptors) && Leaks.alone?

        leaked = opened.to_h { |io| [io, describe_descriptor(io)] }
        leaked.reject! { |io, description| @settings.allow?(io, description) }
        return if leaked.empty?

        "#{count(leaked, "descriptor")} left over, to be closed or, if meant to stay open, to be allowed: " \
          "Evented::Testing.configure(allow: [/part of the line/])\n#{lines(leaked)}"
      end

      private

      def wanted?(kind) = @settings.leaks.include?(kind)

      def tasks_below(task) = task.children.flat_map { |child| [child, *tasks_below(child)] }

      def count(leaked, noun) = "#{leaked.size} #{noun}#{"s" if leaked.size > 1}"

      def lines(leaked) = leaked.values.map { |line| "#{line}\n" }.join

      def describe_fiber(fiber)
        backtrace = (fiber.backtrace || []).reject { |line| line.start_with?(LIB, "<internal:") }
        ["fiber", backtrace.last && "started at #{backtrace.last}", backtrace.first && "stands at #{backtrace.first}"]
          .compact.join(" ")
      end

      # Number to what it stands for, as far as the system tells: a number may be another file's by now.
      def descriptors
        return {} unless DIRECTORY

        Dir.children(DIRECTORY).filter_map do |number|
          [number.to_i, File.readlink("#{DIRECTORY}/#{number}")]
        rescue Errno::ENOENT # that of the directory itself, or closed meanwhile
          nil
        rescue SystemCallError # no link
          [number.to_i, nil]
        end.to_h
      end

      # Those that a Ruby object owns. Others are the reactor's, Ruby's or some library's own business.
      def opened
        now = descriptors
        new = now.reject { |number, target| @descriptors_before.key?(number) && @descriptors_before[number] == target }
        return [] if new.empty?

        # Walking the heap takes a while, so it is done on suspicion only.
        ObjectSpace.each_object(IO).select { |io| new.key?(number_of(io)) }.uniq(&:fileno)
      end

      def number_of(io)
        io.fileno if !io.closed? && io.autoclose?
      rescue IOError # not even opened
        nil
      end

      def describe_descriptor(io)
        target = File.readlink("#{DIRECTORY}/#{io.fileno}")
        "fd #{io.fileno}: #{io.inspect} (#{target})"
      rescue SystemCallError
        "fd #{io.fileno}: #{io.inspect}"
      end
    end
    private_constant :Leaks
  end
end
