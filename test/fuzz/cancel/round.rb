# frozen_string_literal: true

module Fuzz
  module Cancel
    # One cancellation in a reactor that goes on: a place, a weapon, and when what happens, all from the random numbers.
    class Round
      # When the wait is completed: before it begins; never; just before the weapon hits; just after.
      ORDERS = %i[ready parked before after].freeze
      LIMIT = 15

      # @param place [Class, nil] what is not to be left to chance
      # @param weapon [Class, nil]
      # @param order [Symbol, nil]
      def initialize(random, place: nil, weapon: nil, order: nil)
        @random = random
        @as_task = random.rand < 0.5 || (weapon && !weapon.fits?(place, task: false))
        @kind = place || Places.pick(random) { true }
        weapons = Weapons::KINDS.select { |kind| kind.fits?(@kind, task: @as_task) }
        @weapon_kind = weapon || weapons[random.rand(weapons.size)]
        @order = order || ORDERS[random.rand(ORDERS.size)]
        @lingers = random.rand < 0.3
        @by_another = random.rand < 0.5
      end

      # In a task. Raises {Broken}.
      def run
        @place = @kind.new(@random)
        @place.prepare
        fight
        @place.check(@weapon_kind.exact?)
      ensure
        @place&.close
      end

      # @return [Array<String>] for statistics
      def names = [@kind, @weapon_kind].map { |kind| kind.name[/\w+::\w+\z/] }

      def inspect
        "#{names.join(" × ")}, #{@order}, #{@as_task ? "task" : "fiber"}#{", lingers" if @lingers}" \
          "#{", by another" if @by_another}"
      end

      private

      def fight
        weapon = @weapon_kind.new(@random)
        victim = Victim.new(@place, weapon, lingers: @lingers)
        @place.complete if @order == :ready
        victim.start(as_task: @as_task)
        pause
        if @order == :before
          @place.complete
          pause
        end
        attacker = attack(weapon, victim)
        if @order == :after
          pause
          @place.complete
        end
        raise Broken, "the victim is stranded" unless victim.ended?(within: LIMIT)

        mistake = victim.mistake and raise Broken, mistake
        wait_for(attacker)
      end

      def attack(weapon, victim)
        return weapon.fire(victim) && nil unless @by_another

        attacked = Thread::Queue.new
        Fiber.schedule do
          weapon.fire(victim)
          attacked << true
        end
        attacked
      end

      def wait_for(attacker)
        attacker.nil? || attacker.pop(timeout: LIMIT) or raise Broken, "who raised is stranded"
      end

      def pause = @random.rand(3).times { sleep 0 }
    end
  end
end
