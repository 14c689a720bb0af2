# frozen_string_literal: true

require_relative "answering"

module Bench
  # What wrk found, and what it cost the server.
  class Requests
    # @return [Hash] requests, seconds, µs of CPU a request (user, system, both), latencies in µs
    def self.measure(answering, connections:, seconds:)
      load = [*Answering.on_core(Answering::LOAD_CORE), "wrk", "--latency", "--threads", "1",
              "--connections", connections.to_s, "--timeout", "10"]
      url = "http://127.0.0.1:#{answering.port}/"
      # Whatever is only done once has been done then.
      run(*load, "--duration", "1", url)
      before = answering.cpu
      report = run(*load, "--duration", seconds.to_s, url)
      user, system = answering.cpu.zip(before).map { |after, earlier| after - earlier }
      count, took = report.match(/(\d+) requests in ([\d.]+\w+)/).captures
      count = Integer(count)
      raise Answering::Failure, "no answers at all\n#{report}" if count.zero?

      { requests: count, requests_a_second: count / microseconds(took) * 1e6, user: user * 1e6 / count,
        system: system * 1e6 / count, cpu: (user + system) * 1e6 / count,
        median_latency: latency(report, 50), high_latency: latency(report, 99) }
    end

    def self.run(*command)
      report = IO.popen(command, err: %i[child out], &:read)
      raise Answering::Failure, report if !$?.success? || report.match?(/Socket errors|Non-2xx|unable/)

      report
    end
    private_class_method :run

    def self.latency(report, percent) = microseconds(report[/^ +#{percent}% +(\S+)/, 1])
    private_class_method :latency

    def self.microseconds(text)
      Float(text[/[\d.]+/]) * { "us" => 1, "ms" => 1e3, "s" => 1e6, "m" => 6e7 }.fetch(text[/[a-z]+/])
    end
    private_class_method :microseconds
  end
end
