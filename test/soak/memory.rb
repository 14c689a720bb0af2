# frozen_string_literal: true

module Soak
  # Whether memory, descriptors, fibers and threads stay as many as they are, once everything has happened a few times.
  class Memory
    Sample = Struct.new(:at, :rss, :descriptors, :fibers, :threads)

    # Memory may still be this much higher on average in the last third than in the one before: malloc keeps what one
    # large answer needed.
    SLACK = 0.05
    # The others depend on how many jobs happen to be at what: so many more mean nothing.
    LEEWAY = 40

    attr_reader :samples

    def initialize
      @samples = []
    end

    def take
      GC.start
      @samples << Sample.new(Process.clock_gettime(::Process::CLOCK_MONOTONIC), rss,
                             Dir.children("/proc/self/fd").size, ObjectSpace.each_object(Fiber).count(&:alive?),
                             Thread.list.size)
    end

    # @return [String, nil] what grows
    def mistake
      return "there are too few samples to tell whether memory grows: let it run for longer" if @samples.size < 9

      growths = %i[fibers threads descriptors rss].filter_map do |what|
        _, before, last = @samples.each_slice((@samples.size / 3.0).ceil).map { |third| average(third, what) }
        "#{what} grew from #{before.round} to #{last.round}" if last > before * (1 + SLACK) && last > before + LEEWAY
      end
      growths.join(", ") if growths.any?
    end

    # @return [Array<Integer>] MiB, evenly over the time
    def course
      step = [@samples.size / 8, 1].max
      @samples.each_slice(step).map { |part| average(part, :rss) / 1024 }.map(&:round)
    end

    private

    def average(samples, what) = samples.sum(&what) / samples.size.to_f
    def rss = File.read("/proc/self/status")[/^VmRSS:\s*(\d+)/, 1].to_i
  end
end
