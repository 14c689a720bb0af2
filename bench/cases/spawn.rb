# frozen_string_literal: true

Bench.define do
  measures "A task that does nothing and ends"
  operations 200_000, threads: 10_000

  # rubocop:disable Lint/EmptyBlock
  floor "Fiber.new and resume" do |count|
    count.times { Fiber.new {}.resume }
  end

  tasks { |count| count.times { Evented {} } }
  async { |count| count.times { Async {} } }
  threads { |count| count.times { Thread.new {}.join } }
  # rubocop:enable Lint/EmptyBlock

  goal "evented", at_most: 1.4, times: "floor"
  goal "evented", at_least: 3.5, times: "Async"
end
