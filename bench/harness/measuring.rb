# frozen_string_literal: true

require "json"
require "rbconfig"
require_relative "child"
require_relative "tracer"

module Bench
  # One sample of a subject that does a case's operations in its own process.
  class Measuring
    class << self
      # How a subject's process is started.
      def command(subject, file)
        [RbConfig.ruby, *subject.options, "-I#{ROOT}/lib", "#{__dir__}/worker.rb", file, subject.name]
      end

      # What it finds in its environment. Bundler has found the gems once; doing that again would take longer than many
      # a sample.
      def environment(subject)
        return subject.env unless ENV["RUBYOPT"]&.include?("bundler")

        { "RUBYOPT" => nil, "RUBYLIB" => $LOAD_PATH.join(":") }.merge(subject.env)
      end
    end

    def initialize(kase, file, subject)
      @case = kase
      @subject = subject
      @command = Measuring.command(subject, file)
    end

    # @param trace [Boolean] count its system calls too, in a shorter second run
    # @return [Hash]
    def sample(variant, effort:, env:, trace:)
      count = effort.operations(@case, @subject.kind, variant)
      Child.open([*@command, variant.to_s], Measuring.environment(@subject).merge(env)) do |child|
        # Memory that has been used once is not asked for again.
        child.tell(@case.memory? || @case.rounds ? 0 : [count / 10, 1].max)
        about = JSON.parse(child.line, symbolize_names: true)
        sample = run(child, count)
        sample.update(trace(child, [count / 20, 10].max)) if trace && !@case.memory? && !@case.rounds
        sample.merge(about).compact
      end
    end

    private

    def run(child, *words)
      child.tell(words.join(" "))
      JSON.parse(child.line, symbolize_names: true)
    end

    def trace(child, count)
      counted = Tracer.count(child.pid) { |control| run(child, count, *control.to_h.values) }
      { syscalls: counted[:syscalls]&.fdiv(count) }
    end
  end
end
