# frozen_string_literal: true

Bench.define do
  measures "A timeout around nothing"
  operations 200_000, floor: 2_000_000

  # rubocop:disable Lint/EmptyBlock
  nothing = lambda do |&block|
    block.call
  ensure
    nil
  end

  floor "a call of the block with an `ensure` around it" do |count|
    count.times { nothing.call {} }
  end

  tasks { |count| count.times { Evented.timeout(1) {} } }

  async do |count|
    require "timeout"
    count.times { Timeout.timeout(1) {} }
  end
  # rubocop:enable Lint/EmptyBlock
end
