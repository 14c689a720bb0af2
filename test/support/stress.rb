# frozen_string_literal: true

# Tests that have a short form, for every run, and a long one, for `rake stress`: the same body, more of it.
module Stress
  LONG = !ENV.fetch("STRESS", "").empty?

  private

  # @param short [Numeric] how much of it every run does
  # @param long [Numeric] how much `rake stress` does
  # @return [Numeric] what this run is to do
  def at_length(short, long) = LONG ? long : short

  # Tells whoever runs the long form what came of it; the short form is silent.
  def tell(text)
    warn "\n#{self.class}##{name}, #{Evented.driver}: #{text}" if LONG
  end

  # Calls the block again and again for so many seconds.
  #
  # @return [Integer] how often
  def for_seconds(seconds)
    limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
    times = 0
    while Process.clock_gettime(Process::CLOCK_MONOTONIC) < limit
      yield times
      times += 1
    end
    times
  end

  # @return [Integer] bytes of this process that are in memory
  def resident
    File.read("/proc/self/statm").split[1].to_i * 4096
  end
end

Minitest::Test.include(Stress)
