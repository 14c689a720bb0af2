# frozen_string_literal: true

Bench.define do
  measures "A fiber that is scheduled, does nothing and ends"
  operations 200_000, threads: 20_000

  # rubocop:disable Lint/EmptyBlock
  floor "Fiber.new and transfer" do |count|
    count.times { Fiber.new {}.transfer }
  end

  scheduler do |count|
    count.times { Fiber.schedule {} }
  end

  threads do |count|
    count.times { Thread.new {}.join }
  end
  # rubocop:enable Lint/EmptyBlock
end
