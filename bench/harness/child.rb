# frozen_string_literal: true

require "timeout"

module Bench
  # Something did not deliver.
  class Failure < StandardError; end
  # Something that is needed is not there, which is nobody's fault.
  class Missing < Failure; end

  # A process of the benchmarks, its standard input and output piped, its standard error kept for the case of failure.
  class Child
    # Nothing takes a minute; what does hangs.
    PATIENCE = 60

    def self.open(...)
      child = new(...)
      yield child
    ensure
      child&.close
    end

    def initialize(command, env = {})
      @errors, errors = IO.pipe
      @process = IO.popen(env, command, "r+", err: errors)
      errors.close
      @said = Thread.new { @errors.read } # lest it blocks on a full pipe
    end

    def pid = @process.pid

    def tell(line) = @process.puts(line)

    # @param patience [Numeric] seconds
    # @return [String] the next line that it says
    def line(patience = PATIENCE)
      Timeout.timeout(patience) { @process.gets }&.chomp or raise Failure, why
    rescue Timeout::Error
      raise Failure, "it said nothing for #{patience} s"
    end

    def over? = File.read("/proc/#{pid}/stat").include?(") Z ")

    # Why it ended, as far as it told.
    def why
      Process.kill(:KILL, pid)
      said = @said.value.lines.map(&:strip).reject(&:empty?)
      line = said.find { |candidate| candidate.match?(/Error|error|cannot|abort/) } || said.last
      # Of Ruby's "FILE:LINE:in `METHOD': MESSAGE (CLASS)" the message.
      line ? line.sub(/\A\S+:\d+:in [`'].*?': /, "").sub(/ \(\w+\)\z/, "") : "it ended without a word"
    end

    def close
      Process.kill(:KILL, pid)
      @process.close
      @said.join
      @errors.close
    end
  end
end
