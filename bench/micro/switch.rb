# frozen_string_literal: true

Bench.define do
  measures "Two fibers take turns by `sleep 0`; one operation is one switch"
  operations 400_000, floor: 4_000_000, threads: 40_000

  floor "Fiber#transfer to and fro" do |count|
    here = Fiber.current
    there = Fiber.new { (count / 2).times { here.transfer } }
    (count / 2).times { there.transfer }
  end

  scheduler do |count|
    2.times { Fiber.schedule { (count / 2).times { sleep 0 } } }
  end

  threads do |count|
    Array.new(2) { Thread.new { (count / 2).times { Thread.pass } } }.each(&:join)
  end
end
