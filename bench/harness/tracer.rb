# frozen_string_literal: true

require "tempfile"
require "tmpdir"
require_relative "child"
require_relative "commands"
require_relative "control"
require_relative "usage"

module Bench
  # Counts the system calls of a running process, with perf (and then its context switches too) or else with strace.
  # Both slow it down, so it is never done in a sample that takes the time.
  module Tracer
    PERF = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-e", "context-switches"].freeze

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

    # Counts while the block runs or, if the block says so to the {Control} it gets, a part of that. (There is none for
    # strace, which counts all of it.)
    #
    # @return [Hash] syscalls and, by perf, context_switches; empty if nothing can count them here
    def count(pid, &)
      { perf: method(:with_perf), strace: method(:with_strace) }[tool]&.call(pid, &).to_h
    end

    def with_perf(pid)
      Dir.mktmpdir do |directory|
        control = Control.new("#{directory}/commands", "#{directory}/answers")
        control.to_h.each_value { |path| File.mkfifo(path) }
        found, finds = IO.pipe
        perf = spawn(*PERF, "-D", "-1", "-p", pid.to_s, "--control", "fifo:#{control.commands},#{control.answers}",
                     out: File::NULL, err: finds)
        finds.close
        yield control
        Process.kill(:INT, perf)
        Process.wait(perf)
        syscalls, switches = found.read.scan(/^(\d+),/).flatten.map(&:to_i)
        { syscalls: syscalls, context_switches: switches }.compact
      ensure
        found.close
      end
    end

    def with_strace(pid)
      report = strace(pid) { yield nil }
      { syscalls: report[/^\s*100\.00\s+\S+\s+(?:\S+\s+)?(\d+).*total/, 1]&.to_i }.compact
    end

    # @return [String] strace's table of what the process called while the block ran
    def strace(pid)
      report = Tempfile.new("bench-strace")
      strace = spawn("strace", "-c", "-f", "-o", report.path, "-p", pid.to_s, err: File::NULL)
      sleep 0.01 until Usage.status(pid)["TracerPid"].to_i.positive?
      yield
      Process.kill(:INT, strace)
      Process.wait(strace)
      report.read
    ensure
      report.close!
    end
  end
end
