# frozen_string_literal: true

Bench.define do
  measures "Resident memory of a task that waits, among 10,000"
  measures_memory
  operations 10_000

  floor "a fiber that has yielded, in an array" do |count, &all_there|
    fibers = Array.new(count) { Fiber.new { Fiber.yield }.tap(&:resume) }
    all_there.call
    fibers.each(&:resume)
  end

  tasks do |count, &all_there|
    all = Array.new(count) { Evented { sleep } }
    all_there.call
    all.each(&:cancel)
  end

  async do |count, &all_there|
    all = Array.new(count) { Async { sleep } }
    all_there.call
    all.each(&:stop)
  end
end
