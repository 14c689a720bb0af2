# frozen_string_literal: true

require "tempfile"
require_relative "child"
require_relative "commands"

module Bench
  # Counts the system calls of a running process, with perf or else with strace. Both slow it down, so it is
  # never done in a sample that takes the time.
  module Tracer
    PERF = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter"].freeze

    module_function

    # [Symbol, nil] perf needs the rights for tracepoints, strace those for ptrace.
    def tool
      return @tool if defined?(@tool)

      @tool = %i[perf strace].find { |candidate| Commands.program?(candidate.to_s) && works?(candidate) }
    end

    def works?(tool)
      command = { perf: [*PERF, "true"], strace: %w[strace -c -f true] }.fetch(tool)
      IO.popen(command, err: %i[child out], &:read).match?(/^\d+,|total/) && $?.success?
    end

    # @return [Integer, nil] how many while the block ran
    def count(pid, &)
      { perf: method(:with_perf), strace: method(:with_strace) }[tool]&.call(pid, &)
    end

    def with_perf(pid)
      control, controls = IO.pipe
      acknowledged, acknowledges = IO.pipe
      found, finds = IO.pipe
      perf = spawn(*PERF, "-D", "-1", "-p", pid.to_s, "--control", "fd:#{control.fileno},#{acknowledges.fileno}",
                   control => control, acknowledges => acknowledges, out: File::NULL, err: finds)
      [control, acknowledges, finds].each(&:close)
      controls.puts("enable")
      Timeout.timeout(Child::PATIENCE) { acknowledged.gets } or raise Failure, "perf: #{found.read}"
      yield
      Process.kill(:INT, perf)
      found.read[/^(\d+),/, 1]&.to_i
    ensure
      Process.wait(perf)
      [controls, acknowledged, found].each(&:close)
    end

    def with_strace(pid)
      report = Tempfile.new("bench-strace")
      strace = spawn("strace", "-c", "-f", "-o", report.path, "-p", pid.to_s, err: File::NULL)
      sleep 0.01 until Usage.status(pid)["TracerPid"].to_i.positive?
      yield
      Process.kill(:INT, strace)
      Process.wait(strace)
      report.read[/^\s*100\.00\s+\S+\s+(?:\S+\s+)?(\d+).*total/, 1]&.to_i
    ensure
      report.close!
    end
  end
end
