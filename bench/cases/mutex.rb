# frozen_string_literal: true

Bench.define do
  measures "20 fibers want one mutex and hold it over a switch; one operation is one synchronize"
  operations 100_000, threads: 10_000, floor: 1_000_000

  wants = 20
  work = lambda do |count, start, rest|
    mutex = Mutex.new
    Array.new(wants) { start.call { (count / wants).times { mutex.synchronize { rest.call } } } }
  end

  floor "a mutex that nobody else wants, and nothing within" do |count|
    mutex = Mutex.new
    count.times { mutex.synchronize { nil } }
  end

  scheduler { |count| work.call(count, Fiber.method(:schedule), -> { sleep 0 }) }
  threads { |count| work.call(count, Thread.method(:new), -> { Thread.pass }).each(&:join) }
end
