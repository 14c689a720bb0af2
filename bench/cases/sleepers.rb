# frozen_string_literal: true

Bench.define do
  measures "10,000 fibers sleep 10 times each, for up to 1 ms, so that some are always due; one operation is one sleep"
  operations 100_000

  sleeper = lambda do |number|
    10.times { |round| sleep((((number * 7) + (round * 13)) % 100) / 100_000.0) }
  end

  floor "10,000 fibers that transfer 10 times each" do |count|
    here = Fiber.current
    fibers = Array.new(count / 10) { Fiber.new { 10.times { here.transfer } } }
    11.times { fibers.each(&:transfer) }
  end

  scheduler do |count|
    (count / 10).times { |number| Fiber.schedule { sleeper.call(number) } }
  end

  threads do |count|
    Array.new(count / 10) { |number| Thread.new { sleeper.call(number) } }.each(&:join)
  end

  goal "evented", at_least: 4, times: "Async"
end
