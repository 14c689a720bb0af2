# frozen_string_literal: true

require "socket"

Bench.define do
  measures "64 bytes over a socketpair to and fro between two fibers, then a queue's push and pop, while so many " \
           "others wait for a queue, every second with a timeout"
  variants 10, 100, 1_000, 10_000, 20_000, of: "fibers that wait"
  operations 5_000

  message = "x" * 64

  floor "the same calls in one fiber without a scheduler, while so many others have yielded" do |count, run|
    others = Array.new(run.variant) { Fiber.new { Fiber.yield }.tap(&:resume) }
    near, far = UNIXSocket.pair
    queue = Queue.new
    run.measure do
      count.times do
        near.write(message) && far.readpartial(64) && far.write(message) && near.readpartial(64)
        queue.push(1) && queue.pop
      end
    end
    others.each(&:resume)
  end

  scheduler do |count, run|
    never = Queue.new
    run.variant.times { |number| Fiber.schedule { number.even? ? never.pop : never.pop(timeout: 1_000) } }
    near, far = UNIXSocket.pair
    queue = Queue.new
    sleep 0
    run.start
    Fiber.schedule { count.times { far.readpartial(64) && far.write(message) && queue.pop } }
    count.times { near.write(message) && near.readpartial(64) && queue.push(1) }
    run.stop
    never.close
  end
end
