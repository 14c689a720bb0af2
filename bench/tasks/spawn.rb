# frozen_string_literal: true

Bench.define do
  measures "A task that does nothing and ends"
  operations 200_000

  # rubocop:disable Lint/EmptyBlock
  floor "Fiber.new and resume" do |count|
    count.times { Fiber.new {}.resume }
  end

  tasks { |count| count.times { Evented {} } }
  async { |count| count.times { Async {} } }
  # rubocop:enable Lint/EmptyBlock
end
