# frozen_string_literal: true

Bench.define do
  measures "A mutex that fibers of two threads want, each with a scheduler of its own; one operation is one synchronize"
  operations 20_000

  share = ->(count, mutex, rest) { (count / 4).times { mutex.synchronize { rest.call } } }

  floor "four plain threads" do |count|
    mutex = Mutex.new
    Array.new(4) { Thread.new { share.call(count, mutex, -> { Thread.pass }) } }.each(&:join)
  end

  scheduler do |count|
    mutex = Mutex.new
    kind = Fiber.scheduler.class
    other = Thread.new do
      Fiber.set_scheduler(kind.new)
      2.times { Fiber.schedule { share.call(count, mutex, -> { sleep 0 }) } }
    end
    2.times { Fiber.schedule { share.call(count, mutex, -> { sleep 0 }) } }
    other.join
  end
end
