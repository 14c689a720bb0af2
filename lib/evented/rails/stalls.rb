# frozen_string_literal: true

module Evented
  module Rails
    # Finds reactors whose thread is kept busy: by a client that blocks, or by what computes. No task goes on meanwhile.
    # Each is told of as the notification `stall.evented` of Active Support, whose payload has the `duration` so far in
    # seconds, the `thread`, and the `backtrace` if it still lasts.
    #
    # @private
    module Stalls
      # A reactor that is watched: its thread; where it is rung; when it last was and has not answered yet; whether that
      # has been told.
      Watched = Struct.new(:thread, :bell, :rung, :told)
      private_constant :Watched

      EVENT = "stall.evented"
      NAME = "stalls"

      @lock = Lock.new
      @watched = {}.compare_by_identity
      @threshold = nil
      @watcher = @pid = nil

      class << self
        # @return [Numeric, nil] seconds
        attr_accessor :threshold

        # Watches the reactor of a root task until that has ended.
        #
        # @param task [Evented::Task]
        # @return [void]
        def watch(task)
          return unless threshold

          watched = Watched.new(Thread.current, Thread::Queue.new)
          start
          task.spawn(name: NAME, transient: true) { answer(watched) }
        end

        # @return [Boolean] whether it is what answers, which is no part of the program
        def part_of?(task) = task.name.equal?(NAME)

        private

        def answer(watched)
          @lock.exclusively { @watched[watched] = true }
          while watched.bell.pop
            late = now - watched.rung
            tell(watched, late, nil) if !watched.told && late > threshold
            watched.told = false
            watched.rung = nil
          end
        ensure
          @lock.exclusively { @watched.delete(watched) }
        end

        # A forked child has neither the thread nor the reactors.
        def start
          @lock.exclusively do
            unless @pid == Process.pid
              @pid = Process.pid
              @watched.clear
              @watcher = nil
            end
            @watcher = Thread.new { work } unless @watcher&.alive?
          end
        end

        def work
          Thread.current.name = "evented-stalls"
          # It wakes nobody who waits for something else.
          Thread.current.thread_variable_set("\x00__detached_thread__", true)
          Thread.handle_interrupt(Object => :immediate) do
            loop do
              sleep((threshold || 1) / 2.0)
              @lock.exclusively { @watched.keys }.each { |watched| ring(watched) }
            end
          end
        end

        def ring(watched)
          if watched.rung.nil?
            watched.rung = now
            watched.bell << true
          elsif !watched.told && (late = now - watched.rung) > (threshold || late)
            watched.told = true
            tell(watched, late, watched.thread.backtrace)
          end
        rescue StandardError => e
          warn "evented: telling of a stall failed: #{e.full_message(highlight: false)}"
        end

        def tell(watched, seconds, backtrace)
          ActiveSupport::Notifications.instrument(EVENT, duration: seconds, thread: watched.thread,
                                                         backtrace: backtrace)
        end

        def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end
    end
  end
end
