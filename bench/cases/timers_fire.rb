# frozen_string_literal: true

Bench.define do
  measures "So many timers, armed in no order for the next 20 ms, until all have fired; one operation is one timer"
  variants 1_000, 10_000, 100_000, 1_000_000, of: "timers"
  operations { |timers| timers }
  rounds 2

  soon = ->(number) { (number * 2_654_435_761) % 20_000 / 1_000_000.0 }

  em do |count, _run|
    EM.set_max_timers(count + 10)
    EM.run do
      left = count
      count.times { |number| EM.add_timer(soon.call(number)) { EM.stop if (left -= 1).zero? } }
    end
  end

  async do |count, _run|
    timers = IO::Event::Timers.new
    left = count
    count.times { |number| timers.after(soon.call(number)) { left -= 1 } }
    while left.positive?
      interval = timers.wait_interval
      sleep(interval) if interval&.positive?
      timers.fire
    end
  end
end
