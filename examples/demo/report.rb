# frozen_string_literal: true

require "evented"
require "json"
require "unicode_plot"

# The figures of both halves, as bar charts or as JSON.
class Report
  Half = Data.define(:title, :measurements)

  def initialize(threads:)
    @names = {
      one_by_one: "one by one (estimated)", threads: "#{threads} threads", evented: "evented (#{Evented.driver})"
    }
    @halves = {}
    @left_out = {}
  end

  def add(half, title, measurements)
    @halves[half] = Half.new("#{measurements[:evented].count} × #{title}", measurements)
  end

  def leave_out(half, reason)
    @left_out[half] = reason
  end

  # A sentence each; a thousand equal ones are said once.
  def failures
    all = @halves.values.flat_map { |half| half.measurements.values.flat_map(&:failures) }
    all.tally.map { |sentence, times| times == 1 ? sentence : "#{sentence} (#{times} times)" }
  end

  def to_json(*)
    JSON.pretty_generate(
      ruby: RUBY_VERSION, driver: Evented.driver, left_out: @left_out, failures: failures,
      **@halves.transform_values { |half| half.measurements.transform_values(&:to_h) }
    )
  end

  def to_s
    footer = "driver: #{Evented.driver} · Ruby #{RUBY_VERSION} · peak memory of evented's process: #{peak_memory}"
    left_out = @left_out.map { |half, reason| "#{half}: #{reason}" }
    [*@halves.each_value.map { |half| chart(half) }, *left_out, footer].join("\n\n")
  end

  private

  def chart(half)
    finished = half.measurements.select { |_, measurement| measurement.seconds }
    seconds = finished.each_value.map { |measurement| measurement.seconds.round(2) }
    UnicodePlot.barplot(@names.values_at(*finished.keys), seconds, title: half.title, xlabel: "seconds", width: 50).to_s
  end

  def peak_memory
    peaks = @halves.each_value.filter_map { |half| half.measurements[:evented].peak_memory }
    peaks.empty? ? "unknown here" : "#{peaks.max / (1024 * 1024)} MiB"
  end
end
