# frozen_string_literal: true

module Evented
  module EM
    # Calls something once a pass, until it returns `:stop`.
    #
    # @param a see {EM.Callback}
    # @return [TickLoop]
    # @raise [ArgumentError] if there is nothing to call
    # @suspends no
    # @threadsafe yes
    def self.tick_loop(*a, &) = TickLoop.new(*a, &).start

    # See {EM.tick_loop}.
    class TickLoop
      def initialize(*a, &)
        @work = EM.Callback(*a, &)
        @stops = []
        @stopped = true
      end

      # What is called when it has stopped; at once if it has.
      #
      # @param a see {EM.Callback}
      # @raise [ArgumentError] if there is nothing to call
      def on_stop(*a, &)
        if @stopped
          EM.Callback(*a, &).call
        else
          @stops << EM.Callback(*a, &)
        end
      end

      # Stops it: what {#on_stop} was given is called.
      #
      # @suspends no, unless one of those does
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
