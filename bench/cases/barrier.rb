# frozen_string_literal: true

Bench.define do
  measures "A barrier sees tasks come and go, a million of them, and is waited for; it must hold none in the end"
  rounds 1
  operations 1_000_000

  # rubocop:disable Lint/EmptyBlock
  floor "Fiber.new and resume" do |count|
    count.times { Fiber.new {}.resume }
  end

  tasks do |count|
    barrier = Evented::Barrier.new
    count.times { barrier.spawn {} }
    barrier.wait
    GC.start
    left = ObjectSpace.each_object(Evented::Task).count
    raise "#{left} of #{count} tasks are still there" if left > 100
  end
  # rubocop:enable Lint/EmptyBlock
end
