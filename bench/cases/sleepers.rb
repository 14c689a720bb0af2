# frozen_string_literal: true

Bench.define do
  measures "10,000 fibers that have been started sleep 10 times each, for up to 1 ms, so that some are always due; " \
           "one operation is one sleep"
  operations 100_000

  sleeper = lambda do |number|
    10.times { |round| sleep((((number * 7) + (round * 13)) % 100) / 100_000.0) }
  end

  floor "10,000 fibers that transfer 10 times each" do |count, run|
    here = Fiber.current
    fibers = Array.new(count / 10) { Fiber.new { 11.times { here.transfer } } }
    fibers.each(&:transfer)
    run.measure { 11.times { fibers.each(&:transfer) } }
  end

  # All are there before the first may sleep: else some schedulers would have fewer of them at a time than others.
  scheduler do |count, run|
    gate = Queue.new
    (count / 10).times { |number| Fiber.schedule { gate.pop || sleeper.call(number) } }
    sleep 0
    run.start
    gate.close
  end

  threads do |count, run|
    gate = Queue.new
    threads = Array.new(count / 10) { |number| Thread.new { gate.pop || sleeper.call(number) } }
    run.start
    gate.close
    threads.each(&:join)
  end

  goal "evented", at_least: 4, times: "Async"
end
