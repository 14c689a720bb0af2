# frozen_string_literal: true

Bench.define do
  measures "Two queues between a fiber here and one under another thread's scheduler; one operation is there and back"
  operations 10_000

  rally = lambda do |count, near, far|
    there = Queue.new
    back = Queue.new
    other = Thread.new { far.call { count.times { there.pop && back.push(1) } } }
    near.call { count.times { there.push(1) && back.pop } }
    other
  end

  floor "two plain threads" do |count|
    rally.call(count, ->(&work) { work.call }, ->(&work) { work.call }).join
  end

  scheduler do |count|
    here = Fiber.scheduler.class
    far = lambda do |&work|
      Fiber.set_scheduler(here.new)
      Fiber.schedule(&work)
    end
    rally.call(count, ->(&work) { work.call }, far).join
  end
end
