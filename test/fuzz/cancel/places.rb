# frozen_string_literal: true

require_relative "ledger"
require_relative "place"
require_relative "places/others"
require_relative "places/primitives"
require_relative "places/reading"
require_relative "places/waiting"
require_relative "places/writing"

module Fuzz
  module Cancel
    # All of them.
    module Places
      KINDS = [Waiting, Primitives, Readers, Writers, Others].flat_map do |group|
        group.constants.sort.map { |name| group.const_get(name) }.grep(Class)
      end.freeze

      CARDS = KINDS.flat_map { |kind| [kind] * kind.weight }.freeze
      private_constant :CARDS

      # @yieldparam kind [Class] whether it will do
      # @return [Class]
      def self.pick(random)
        loop do
          kind = CARDS[random.rand(CARDS.size)]
          return kind if yield kind
        end
      end
    end
  end
end
