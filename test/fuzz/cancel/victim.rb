# frozen_string_literal: true

module Fuzz
  module Cancel
    # A fiber that waits at a place, and is hit there or right behind it.
    class Victim
      # What may be raised in it.
      HITS = [Stop, Timeout::Error, Evented::TimeoutError, Evented::Cancel, IOError, SystemCallError].freeze

      attr_reader :place, :fiber, :task, :error, :ensured

      # @param lingers [Boolean] whether it waits once more while it cleans up
      def initialize(place, weapon = nil, lingers: false)
        @place = place
        @weapon = weapon
        @lingers = lingers
        @ensured = 0
        @ended = Thread::Queue.new
      end

      # @param as_task [Boolean] whether it is a task, or a fiber of Fiber.schedule's
      def start(as_task:)
        if as_task
          @task = Evented { live }
        else
          Fiber.schedule { live }
        end
      end

      def hit? = @ensured.positive?

      # @return [Boolean] whether it has ended in that time
      def ended?(within:) = @ended.pop(timeout: within) == :ended

      # @return [String, nil] what is wrong with its end
      def mistake
        return "its ensure clause ran #{@ensured} times" unless @ensured == 1
        return if @weapon.nil?

        expected = @weapon.expected
        return ("it was killed, and saw #{@error.inspect}" if @error) if expected.nil?

        "it saw #{@error.inspect}" unless expected.any? { |kind| kind === @error } # rubocop:disable Style/CaseEquality
      end

      private

      def live
        @fiber = Fiber.current
        @weapon ? @weapon.around { go_in_and_stay } : go_in_and_stay
      rescue *HITS => e
        @error = e
      ensure
        @ensured += 1
        clean_up
      end

      def go_in_and_stay
        @place.wait
        sleep unless @weapon&.gentle?
      end

      def clean_up
        2.times { sleep 0 } if @lingers
      ensure
        @ended << :ended
      end
    end
  end
end
