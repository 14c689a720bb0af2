# frozen_string_literal: true

Bench.define do
  measures "10,000 tasks that are alive at the same time and are then waited for; one operation is one task"
  operations 10_000

  floor "as many fibers that yield once" do |count|
    fibers = Array.new(count) { Fiber.new { Fiber.yield }.tap(&:resume) }
    fibers.each(&:resume)
  end

  tasks do |count|
    gate = Queue.new
    all = Array.new(count) { Evented { gate.pop } }
    gate.close
    all.each(&:wait)
  end

  async do |count|
    gate = Queue.new
    all = Array.new(count) { Async { gate.pop } }
    gate.close
    all.each(&:wait)
  end
end
