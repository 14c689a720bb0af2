# frozen_string_literal: true

require "socket"

Bench.define do
  measures "Resident memory of a fiber that waits for 64 bytes from a socket, among 4,000; the sockets are there before"
  about :bytes
  operations 4_000

  pairs = ->(count) { Array.new(count) { UNIXSocket.pair } }

  floor "a fiber that has yielded in the place of waiting" do |count, run|
    sockets = pairs.call(count)
    run.start
    fibers = sockets.map do |near, _|
      Fiber.new do
        Fiber.yield
        near.readpartial(64)
      end.tap(&:resume)
    end
    run.stop
    sockets.each_value { |far| far.write("x") }
    fibers.each(&:resume)
  end

  scheduler do |count, run|
    sockets = pairs.call(count)
    run.start
    sockets.each_key { |near| Fiber.schedule { near.readpartial(64) } }
    sleep 0.05
    run.stop
    sockets.each_value { |far| far.write("x") }
  end

  threads do |count, run|
    sockets = pairs.call(count)
    run.start
    all = sockets.map { |near, _| Thread.new { near.readpartial(64) } }
    sleep 0.05
    run.stop
    sockets.each_value { |far| far.write("x") }
    all.each(&:join)
  end

  goal "evented", at_most: 1.1, times: "floor"
end
