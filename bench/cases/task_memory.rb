# frozen_string_literal: true

Bench.define do
  measures "Resident memory of a task that waits, among 10,000"
  about :bytes
  operations 10_000

  floor "a fiber that has yielded, in an array" do |count, run|
    fibers = Array.new(count) { Fiber.new { Fiber.yield }.tap(&:resume) }
    run.stop
    fibers.each(&:resume)
  end

  tasks do |count, run|
    all = Array.new(count) { Evented { sleep } }
    run.stop
    all.each(&:cancel)
  end

  async do |count, run|
    all = Array.new(count) { Async { sleep } }
    run.stop
    all.each(&:stop)
  end
end
