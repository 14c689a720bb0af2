# frozen_string_literal: true

Bench.define do
  measures "Two queues between two fibers; one operation is there and back: two pushes, two waiting pops"
  operations 100_000, floor: 1_000_000, threads: 10_000

  rally = lambda do |start, count|
    there = Queue.new
    back = Queue.new
    pinger = start.call { count.times { there.push(1) && back.pop } }
    ponger = start.call { count.times { there.pop && back.push(1) } }
    [pinger, ponger]
  end

  floor "the same pushes and pops with Fiber#transfer instead of waiting" do |count|
    there = Queue.new
    back = Queue.new
    here = Fiber.current
    ponger = Fiber.new do
      count.times do
        there.pop && back.push(1)
        here.transfer
      end
    end
    count.times do
      there.push(1)
      ponger.transfer
      back.pop
    end
  end

  scheduler { |count| rally.call(Fiber.method(:schedule), count) }
  threads { |count| rally.call(Thread.method(:new), count).each(&:join) }

  goal "evented", at_most: 1_000
  goal "evented", at_least: 4.5, times: "Async"
end
