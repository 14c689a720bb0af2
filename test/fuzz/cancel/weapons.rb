# frozen_string_literal: true

require "timeout"

module Fuzz
  module Cancel
    # What ends a victim's wait, inside of a reactor that goes on. Threads and reactors that end are in {Ending}.
    class Weapon
      class << self
        # Whether it may come between the effect of a wait and its return: then what was read is gone with the fiber.
        def exact? = true

        # Whether it works for this kind of place, and for a fiber that is no task's.
        def fits?(_place, task:) = true # rubocop:disable Lint/UnusedMethodArgument
      end

      def initialize(random)
        @random = random
      end

      # In the victim, around its wait and what follows.
      def around = yield

      # By somebody else.
      def fire(victim); end

      # Whether the victim has nothing to wait for any more when its own wait is over.
      def gentle? = false

      # What the victim has to see: classes, or nil for nothing.
      def expected = [Stop]
    end

    # The weapons.
    module Weapons
      # `Fiber#raise`.
      class FiberRaise < Weapon
        def self.exact? = false
        def fire(victim) = victim.fiber.raise(Stop, "in the middle")
      end

      # `Fiber#kill`.
      class FiberKill < Weapon
        def self.exact? = false
        def fire(victim) = victim.fiber.kill
        def expected = nil
      end

      # `Timeout.timeout`, of about the time that everything else takes.
      class TimeoutTimeout < Weapon
        def around(&) = Timeout.timeout(0.00001 + (@random.rand * 0.001), *(Stop if @random.rand < 0.5), &)
        def expected = [Timeout::Error, Stop]
      end

      # `Evented.timeout`.
      class EventedTimeout < Weapon
        def self.fits?(_place, task:) = task
        def around(&) = Evented.timeout(0.00001 + (@random.rand * 0.001), &)
        def expected = [Evented::TimeoutError]
      end

      # `task.cancel`.
      class TaskCancel < Weapon
        def self.fits?(_place, task:) = task
        def fire(victim) = victim.task.cancel
        def expected = [Evented::Cancel]
      end

      # The hook that Ruby itself calls to interrupt a fiber.
      class FiberInterrupt < Weapon
        # In an Enumerator it is another fiber that waits, and Ruby would name that one.
        def self.fits?(place, **) = place != Waiting::Enumerating

        # It hits only who waits for something, and only for that; so again and again.
        def fire(victim)
          until victim.hit?
            Fiber.scheduler.fiber_interrupt(victim.fiber, Stop.new("in the middle"))
            sleep 0
          end
        end
      end

      # `IO#close` by another fiber.
      class Close < Weapon
        def self.exact? = false
        def self.fits?(place, **) = place.closable?
        def fire(victim) = victim.place.io.close
        def gentle? = true
        def expected = [nil, IOError, Errno::EBADF, Errno::EPIPE, Errno::ECONNRESET, Errno::ENOTCONN]
      end

      # `IO#close` by another thread.
      class CloseInThread < Close
        def fire(victim) = Thread.new { victim.place.io.close }.join
      end

      KINDS = constants.sort.map { |name| const_get(name) }.freeze
    end
  end
end
