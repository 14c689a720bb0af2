# frozen_string_literal: true

require "tempfile"
require_relative "load"
require_relative "serving"
require_relative "tracer"

module Bench
  # Where the time of one request goes: a server under load, by library and by function (perf), and its system calls by
  # name (strace, in a load of its own, because it slows down).
  class Profile < Serving
    # Samples a second.
    FREQUENCY = 4_000
    SECONDS = 3

    # @param variant [Object] of the case
    # @return [Hash] cpu: nanoseconds a request; libraries and functions: their nanoseconds; calls: how many a request
    # @raise [Missing] without perf
    def take(variant)
      raise Missing, "perf is missing" unless Commands.program?("perf")

      started(variant, {}) do
        load(variant, 0.5)
        cpu = cost(variant)
        { cpu: cpu, **parts(variant, cpu), calls: calls(variant) }
      end
    end

    private

    def cost(variant)
      sample = measure { load(variant, SECONDS) }
      Figures.value(sample, :cpu)
    end

    def parts(variant, cpu)
      Tempfile.create("bench-profile") do |data|
        perf = spawn("perf", "record", "-q", "-e", "cpu-clock", "-F", FREQUENCY.to_s, "-o", data.path, "-p", @pid.to_s,
                     %i[out err] => File::NULL)
        load(variant, SECONDS)
        Process.kill(:INT, perf)
        Process.wait(perf)
        { libraries: shares(data.path, "dso", cpu), functions: shares(data.path, "dso,symbol", cpu) }
      end
    end

    def shares(path, keys, cpu)
      report = IO.popen(["perf", "report", "--stdio", "-q", "-i", path, "--sort", keys], err: File::NULL, &:read)
      report.scan(/^\s+([\d.]+)%\s+(.+?)\s*$/).to_h do |share, name|
        [name.sub(/( +-)+\z/, "").squeeze(" "), cpu * share.to_f / 100]
      end
    end

    def calls(variant)
      return {} unless Commands.program?("strace")

      operations = nil
      report = Tracer.strace(@pid) { operations = load(variant, SECONDS)[:operations] }
      lines = report.scan(/^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/)
      lines.to_h { |count, name| [name, count.to_f / operations] }.except("total")
    end
  end
end
