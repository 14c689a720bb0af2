# frozen_string_literal: true

require "socket"

Bench.define do
  measures "64 bytes over a socketpair between two fibers; one operation is both ways: two writes, two waiting reads"
  operations 30_000, threads: 5_000

  message = "x" * 64

  rally = lambda do |start, count|
    near, far = UNIXSocket.pair
    pinger = start.call { count.times { near.write(message) && near.readpartial(64) } }
    ponger = start.call { count.times { far.readpartial(64) && far.write(message) } }
    [pinger, ponger]
  end

  floor "the same writes and reads in one fiber without a scheduler" do |count|
    near, far = UNIXSocket.pair
    count.times do
      near.write(message) && far.readpartial(64)
      far.write(message) && near.readpartial(64)
    end
  end

  scheduler { |count| rally.call(Fiber.method(:schedule), count) }
  threads { |count| rally.call(Thread.method(:new), count).each(&:join) }

  goal "evented", at_most: 1.35, times: "floor"
  goal "evented", at_least: 2.2, times: "Async"
end
