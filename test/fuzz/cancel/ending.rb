# frozen_string_literal: true

module Fuzz
  module Cancel
    # A thread that ends in the middle: Thread#raise, Thread#kill, or an exception out of its reactor, which closes the
    # scheduler. Its fibers clean up once, and what they waited for can be used by others.
    class Ending
      WAYS = %i[thread_raise thread_kill scheduler_close].freeze
      LIMIT = 20

      # @param places [Array<Class>, nil] what is not to be left to chance
      # @param way [Symbol, nil]
      def initialize(random, places: nil, way: nil)
        @random = random
        @way = way || WAYS[random.rand(WAYS.size)]
        @in_tasks = random.rand < 0.5 || !(places || []).all?(&:anywhere?)
        @kinds = places || Array.new(random.rand(1..4)) { Places.pick(random) { |kind| @in_tasks || kind.anywhere? } }
        @completes = @kinds.map { random.rand < 0.4 }
        @lingers = random.rand < 0.3
      end

      # On a thread without a reactor. Raises {Broken}.
      def run
        @armed = Thread::Queue.new
        @release = Thread::Queue.new
        thread = Thread.new { live }
        end_it(thread)
        look_at_victims
        Evented.run { @places.each { |place| place.check(false) } }
      ensure
        @places&.each(&:close)
      end

      # @return [Array<Array<String>>] for statistics
      def names = @kinds.map { |kind| [kind.name[/\w+::\w+\z/], @way.to_s] }

      def inspect
        "#{@kinds.map { |kind| kind.name[/\w+::\w+\z/] }.join(" + ")} × #{@way}, " \
          "#{@in_tasks ? "tasks" : "fibers"}#{", lingers" if @lingers}"
      end

      private

      def live
        Thread.current.report_on_exception = false
        return Evented.run { set_up } if @in_tasks

        Fiber.set_scheduler(scheduler = Evented::Scheduler.new)
        Fiber.schedule { set_up }
        scheduler.run
      end

      def set_up
        @places = @kinds.map { |kind| kind.new(@random) }
        @places.each(&:prepare)
        @victims = @places.map { |place| Victim.new(place, lingers: @lingers) }
        @victims.each { |victim| victim.start(as_task: @in_tasks && @random.rand < 0.5) }
        @armed << true
        @release.pop
        raise Stop, "the reactor ends"
      end

      def end_it(thread)
        @armed.pop(timeout: LIMIT) or raise Broken, "the places could not be prepared: #{outcome(thread)}"
        rand_pause
        @places.zip(@completes) { |place, completes| place.complete if completes }
        thread.raise(Stop, "from outside") if @way == :thread_raise
        thread.kill if @way == :thread_kill
        @release << true
        thread.join(LIMIT) or raise Broken, "the thread does not end: #{thread.backtrace&.first(5)&.join("\n  ")}"
      rescue Stop
        nil
      end

      def look_at_victims
        @victims.each { |victim| mistake = victim.mistake and raise Broken, mistake }
      end

      def outcome(thread)
        thread.join(0) ? "it has ended" : "it runs"
      rescue Exception => e
        e.full_message(highlight: false)
      end

      def rand_pause = @random.rand(4).times { Thread.pass }
    end
  end
end
