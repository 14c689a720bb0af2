# frozen_string_literal: true

module Evented
  module Testing
    # Ends examples when their time is up. From a thread: with a timer of the reactor's own it would never find that
    # nothing else can wake it ({Deadlock}), and virtual time would jump to it.
    #
    # @private
    module TimeLimit
      @lock = Thread::Mutex.new
      @changed = Thread::ConditionVariable.new
      # Example to deadline.
      @watched = {}.compare_by_identity
      # When the thread wakes by itself; nil for never.
      @next = nil
      @thread = nil

      class << self
        # @param example [#time_is_up] what is told, on the thread, and answers in how many seconds to be told again
        # @param seconds [Numeric, nil]
        # @return [Object] the block's value
        # @threadsafe yes
        def watch(example, seconds)
          return yield unless seconds

          begin
            @lock.synchronize { set(example, now + seconds) }
            yield
          ensure
            @watched.delete(example)
          end
        end

        # @return [void]
        # @threadsafe yes
        def extend_to(example, seconds)
          @watched[example] = now + seconds if @watched.key?(example)
        end

        private

        def set(example, deadline)
          # A forked child inherits what its parent watched, but no thread.
          start unless @thread&.alive?
          @watched[example] = deadline
          @changed.signal unless @next && @next <= deadline
        end

        def start
          @watched.clear
          @next = nil
          @thread = Thread.new { @lock.synchronize { loop { look } } }
          @thread.name = "evented time limit"
          Testing.disregard(@thread)
        end

        def look
          @watched.to_a.each do |example, deadline|
            next if deadline > now

            seconds = example.time_is_up
            # It may have been given more time meanwhile.
            extend_to(example, seconds) if @watched[example] == deadline
          end
          @next = @watched.values.min
          @changed.wait(@lock, @next && [@next - now, 0].max)
        end

        def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end
    end
    private_constant :TimeLimit
  end
end
