# frozen_string_literal: true

require "json"
require_relative "child"
require_relative "commands"
require_relative "measuring"
require_relative "tracer"
require_relative "usage"

module Bench
  # One sample of a server, on a core of its own: what it costs while it is under load.
  class Serving
    # [Integer]
    attr_reader :port

    def initialize(kase, file, subject)
      @case = kase
      @subject = subject
      @file = file
    end

    # @return [Hash]
    def sample(variant, effort:, env:, trace:)
      started(variant, env) do |about|
        # Whatever is only done once has been done then; but memory that has been used once is not asked for again.
        load(variant, effort.warm_up_seconds) unless @case.memory? || @case.rounds
        sample = measure { load(variant, effort.seconds) }
        sample.update(trace(variant, effort.warm_up_seconds)) if trace && !@case.memory? && !@case.rounds
        sample.merge(about).compact
      end
    end

    # For the load to say when what matters happens, if that is not always.
    def window
      @after = nil
      @before = usage
      @control&.tell("enable")
      yield.tap { close_window unless @after }
    end

    # @param before [Usage] if it began without being told
    def close_window(before = @before)
      @before = before
      @after = usage
      @control&.tell("disable")
    end

    def usage = Usage.of(@pid)

    private

    # @return [Hash] what the load found, and what it cost
    def measure
      found = yield
      used = @after - @before
      sample = { wall: found.delete(:seconds), user: used.user, system: used.system,
                 context_switches: used.context_switches, peak_memory_kib: @after.peak_memory_kib, **found }
      sample[:bytes] = used.resident.fdiv(found[:operations]) if @case.memory?
      sample
    end

    def load(variant, seconds) = @case.load.call(self, variant, seconds)

    # Its switches, if perf counts them, are those of all threads.
    def trace(variant, seconds)
      operations = nil
      counted = Tracer.count(@pid) do |control|
        @control = control
        operations = load(variant, seconds)[:operations]
      end
      counted[:switches] = counted.delete(:context_switches)
      counted.compact.transform_values { |count| count.fdiv(operations) }
    end

    def started(variant, env)
      @port = Commands.free_port
      environment = Measuring.environment(@subject).merge(env)
      Child.open([*Commands.on_core(Commands::SERVER_CORE), *command(variant)], environment) do |child|
        @pid = child.pid
        # A program has nothing to say; ours tell what they are.
        about = @subject.is_a?(Case::Program) ? {} : JSON.parse(child.line, symbolize_names: true)
        Commands.wait_for(@port, child)
        yield about
      end
    end

    def command(variant)
      return @subject.command.call(@port, variant) if @subject.is_a?(Case::Program)

      [*Measuring.command(@subject, @file), variant.to_s, @port.to_s]
    end
  end
end
