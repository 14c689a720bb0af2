# frozen_string_literal: true

require "evented"
require_relative "../support/io_buffer"
require_relative "cancel/ending"
require_relative "cancel/places"
require_relative "cancel/round"
require_relative "cancel/victim"
require_relative "cancel/weapons"

module Fuzz
  # Random cancellations: of every kind of wait, with every weapon, at every moment; and a look at what is left behind.
  # Everything that is chosen follows from one number, so that a failure can be had again; only what the kernel and
  # other threads do in the meantime does not.
  #
  #     SEED=123 rake fuzz:cancel[500]
  module Cancel
    # So many in a reactor before it is closed and another one takes its place.
    A_REACTOR = 60
    # So many of them at the same time.
    LANES = 4

    # What went wrong, and how to have it again.
    class Failure < StandardError; end

    # How often each place met each weapon.
    Report = Struct.new(:cancellations, :pairs) do
      def to_s
        "#{cancellations} cancellations; #{pairs.size} pairs of a place and a weapon, " \
          "the rarest #{pairs.values.min || 0} times"
      end

      # @return [Hash{String => Integer}] how often each weapon was used
      def weapons
        pairs.group_by { |(_, weapon), _| weapon }.transform_values { |met| met.sum(&:last) }.sort.to_h
      end
    end

    class << self
      # @param count [Integer] how many cancellations, at least
      # @param seed [Integer]
      # @return [Report]
      # @raise [Failure]
      def run(count, seed)
        start(seed)
        until @report.cancellations >= count
          play_all(Array.new([A_REACTOR, count - @report.cancellations].min) { Round.new(another_random) })
          2.times { end_thread(Ending.new(another_random)) } if @report.cancellations < count
          GC.start if @random.rand < 0.05
        end
        @report
      end

      # Every place in every order, each once.
      #
      # @param weapon [Class]
      # @return [Report]
      # @raise [Failure]
      def try_everywhere(weapon, seed)
        start(seed)
        places = Places::KINDS.select { |place| weapon.fits?(place, task: true) }
        play_all(places.product(Round::ORDERS).map do |place, order|
          Round.new(another_random, place: place, weapon: weapon, order: order)
        end)
        @report
      end

      # Every place, in a thread that ends like that.
      #
      # @param way [Symbol] one of {Ending::WAYS}
      # @return [Report]
      # @raise [Failure]
      def end_everywhere(way, seed)
        start(seed)
        Places::KINDS.each { |place| end_thread(Ending.new(another_random, places: [place], way: way)) }
        @report
      end

      private

      def start(seed)
        @random = Random.new(seed)
        @report = Report.new(0, Hash.new(0))
      end

      def another_random = Random.new(@random.rand(1 << 62))

      def play_all(rounds)
        Evented.run do
          Array.new(LANES) do
            Evented do
              while (round = rounds.shift)
                play(round) { round.run }
                record(round.names)
              end
            end
          end.each(&:wait)
        end
      end

      def end_thread(ending)
        play(ending) { ending.run }
        ending.names.each { |names| record(names) }
      end

      def play(round)
        yield
      rescue StandardError => e
        raise Failure, "#{round.inspect}: #{e.full_message(highlight: false)}"
      end

      def record(names)
        @report.cancellations += 1
        @report.pairs[names] += 1
      end
    end
  end
end
