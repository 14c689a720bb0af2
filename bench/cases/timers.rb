# frozen_string_literal: true

Bench.define do
  measures "A timer of 100 s, armed and cancelled, while so many others are armed"
  variants 1_000, 10_000, 100_000, 1_000_000, of: "timers armed"
  operations 100_000
  rounds 2

  # In no order, the same in every run.
  far = ->(number) { 10 + ((number * 2_654_435_761) % 100_000 / 1_000.0) }

  em do |count, run|
    EM.set_max_timers(3_000_000) # EventMachine keeps those that were cancelled until they are due
    EM.run do
      run.variant.times { |number| EM.add_timer(far.call(number)) { nil } }
      run.measure { count.times { EM.cancel_timer(EM.add_timer(100) { nil }) } }
      EM.stop
    end
  end

  # Async's own, which fibers sleep by.
  async do |count, run|
    timers = IO::Event::Timers.new
    run.variant.times { |number| timers.after(far.call(number)) { nil } }
    timers.wait_interval
    run.measure do
      count.times { timers.after(100) { nil }.cancel! }
      timers.wait_interval
    end
  end
end
