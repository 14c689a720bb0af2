# frozen_string_literal: true

# Ends the process, loudly, when one test takes longer than LIMIT: a hang must not cost CI its whole time.
#
# It is a thread, so it works while the tested one waits without the GVL. Against a native loop that keeps the GVL
# there is only the `timeout` around the whole run (rakelib/test.rake).
module Watchdog
  LIMIT = Float(ENV.fetch("TEST_LIMIT", 30))

  @lock = Thread::Mutex.new
  @changed = Thread::ConditionVariable.new

  # Minitest::Test with every test watched. A class whose tests need longer, such as one that compiles, says so in a
  # constant TIME_LIMIT.
  module Watched
    def run
      limit = self.class.const_defined?(:TIME_LIMIT) ? self.class::TIME_LIMIT : LIMIT
      Watchdog.watch("#{self.class}##{name}", limit) { super }
    end
  end

  class << self
    # @param name [String] what to call it when it hangs
    # @param limit [Numeric] seconds
    def watch(name, limit = LIMIT)
      # A forked child inherits the lock and the deadline, but no thread.
      @thread = Thread.new { guard } unless @thread&.alive?
      set(name, now + limit)
      yield
    ensure
      set(nil, nil)
    end

    private

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

    def set(name, deadline)
      @lock.synchronize do
        @name = name
        @deadline = deadline
        @changed.signal
      end
    end

    def guard
      @lock.synchronize do
        loop do
          left = @deadline && (@deadline - now)
          bite if left && left <= 0
          @changed.wait(@lock, left)
        end
      end
    end

    def bite
      warn "\n#{@name} is still running, after its time limit. Where everything stands:"
      (Thread.list - [Thread.current]).each { |thread| show(thread.inspect, thread.backtrace) }
      ObjectSpace.each_object(Fiber) { |fiber| show(fiber.inspect, fiber.backtrace) if fiber.alive? }
      $stderr.flush
      exit!(124)
    end

    def show(what, backtrace)
      warn "", what, *(backtrace || ["(no backtrace)"]).map { |line| "    #{line}" }
    end
  end
end
