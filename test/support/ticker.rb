# frozen_string_literal: true

# A fiber that wants to run every 5 ms, beside others, and writes down how late it was each time.
class Ticker
  # Seconds
  INTERVAL = 0.005

  # Lets one run as long as the block does, in a reactor.
  #
  # @return [Array(Object, Ticker)] the block's value, and the ticker
  def self.beside
    ticker = new
    task = Evented(name: "ticker") { ticker.run }
    [yield, ticker]
  ensure
    task&.cancel
  end

  # [Array<Float>] seconds, one a tick
  attr_reader :latenesses

  def initialize
    @latenesses = []
  end

  # How often it has run.
  def ticks = @latenesses.size

  def run
    loop do
      due = now + INTERVAL
      sleep INTERVAL
      @latenesses << (now - due)
    end
  end

  private

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
