# frozen_string_literal: true

require "socket"

Bench.define do
  measures "Resident memory of a fiber that waits for 64 bytes from a socket, among 4,000; the sockets are there before"
  about :bytes
  operations 4_000

  # [Array(Array, Array)] the near ends and the far ones
  pairs = ->(count) { Array.new(count) { UNIXSocket.pair }.transpose }

  floor "a fiber that has yielded in the place of waiting" do |count, run|
    near, far = pairs.call(count)
    run.start
    fibers = near.map do |socket|
      Fiber.new do
        Fiber.yield
        socket.readpartial(64)
      end.tap(&:resume)
    end
    run.stop
    far.each { |socket| socket.write("x") }
    fibers.each(&:resume)
  end

  scheduler do |count, run|
    near, far = pairs.call(count)
    run.start
    near.each { |socket| Fiber.schedule { socket.readpartial(64) } }
    sleep 0.05
    run.stop
    far.each { |socket| socket.write("x") }
  end

  threads do |count, run|
    near, far = pairs.call(count)
    run.start
    all = near.map { |socket| Thread.new { socket.readpartial(64) } }
    sleep 0.05
    run.stop
    far.each { |socket| socket.write("x") }
    all.each(&:join)
  end

  goal "evented", at_most: 1.1, times: "floor"
end
