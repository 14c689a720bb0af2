# frozen_string_literal: true

module Evented
  module EM
    # Calls something once a pass, until it returns `:stop`.
    def self.tick_loop(*a, &b) = TickLoop.new(*a, &b).start

    # See {EM.tick_loop}.
    class TickLoop
      def initialize(*a, &b)
        @work = EM.Callback(*a, &b)
        @stops = []
        @stopped = true
      end

      # What is called when it has stopped; at once if it has.
      def on_stop(*a, &b)
        if @stopped
          EM.Callback(*a, &b).call
        else
          @stops << EM.Callback(*a, &b)
        end
      end

      # Stops it.
      def stop
        @stopped = true
        @stops.shift.call until @stops.empty?
      end

      # Whether it is not running.
      def stopped? = @stopped

      # Starts it.
      #
      # @return [self]
      # @raise [ArgumentError] if it runs
      def start
        raise ArgumentError, "double start" unless @stopped

        @stopped = false
        schedule
        self
      end

      private

      def schedule
        EM.next_tick do
          next if @stopped

          @work.call == :stop ? stop : schedule
        end
      end
    end
  end
end
