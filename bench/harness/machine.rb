# frozen_string_literal: true

require "etc"
require_relative "commands"
require_relative "tracer"

module Bench
  # Where it was measured. A figure without this means nothing.
  module Machine
    module_function

    def describe
      @describe ||= {
        date: Time.now.utc.strftime("%F"), commit: commit, cpu: cpu, cores: Etc.nprocessors, load: load_average,
        kernel: Etc.uname.values_at(:sysname, :release).join(" "), ruby: RUBY_DESCRIPTION,
        pinned: Commands.on_core(0).any? ? "servers and their load, to a core each" : "no",
        system_calls_by: Tracer.tool&.to_s
      }.compact
    end

    def commit
      hash = IO.popen(%w[git rev-parse --short HEAD], chdir: ROOT, err: File::NULL, &:read).chomp
      return "unknown" if hash.empty?

      changes = IO.popen(%w[git status --porcelain -- ext lib bench/*/*.rb], chdir: ROOT, err: File::NULL, &:read)
      "#{hash}#{" with changes" unless changes.empty?}"
    rescue Errno::ENOENT
      "unknown"
    end

    def cpu
      return IO.popen(%w[sysctl -n machdep.cpu.brand_string], &:read).chomp unless File.exist?("/proc/cpuinfo")

      File.read("/proc/cpuinfo")[/^model name\s*: (.*)/, 1] || Etc.uname[:machine]
    rescue Errno::ENOENT
      Etc.uname[:machine]
    end

    # What else went on as it began, by the kernel's figure for the last minute.
    def load_average = File.exist?("/proc/loadavg") ? File.read("/proc/loadavg").split.first : "unknown"
  end
end
