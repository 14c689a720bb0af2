# frozen_string_literal: true

Bench.define do
  measures "Two tasks take turns by `sleep 0`; one operation is one switch"
  operations 400_000, floor: 4_000_000, threads: 20_000

  floor "Fiber#transfer to and fro" do |count|
    here = Fiber.current
    there = Fiber.new { (count / 2).times { here.transfer } }
    (count / 2).times { there.transfer }
  end

  tasks { |count| Array.new(2) { Evented { (count / 2).times { sleep 0 } } }.each(&:wait) }
  async { |count| Array.new(2) { Async { (count / 2).times { sleep 0 } } }.each(&:wait) }
  threads { |count| Array.new(2) { Thread.new { (count / 2).times { Thread.pass } } }.each(&:join) }

  goal "evented", at_most: 150
  goal "evented", at_least: 10, times: "Async"
end
