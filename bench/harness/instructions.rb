# frozen_string_literal: true

require "etc"
require "json"
require "open3"
require_relative "measuring"

module Bench
  # Instructions an operation by callgrind: the same on a busy machine, so that regressions show. Each case runs twice,
  # one run three times as long as the other, so that what is done once (Ruby's start above all) cancels out.
  class Instructions
    PATH = "#{ROOT}/bench/results/instructions.json".freeze
    # The hottest paths, and how many operations make a difference that start-up and GC can't blur.
    CASES = { "spawn" => 2_000, "switch" => 20_000, "queue" => 5_000, "socketpair" => 2_000, "timeout" => 5_000 }.freeze
    # By how much two runs of one build were seen to differ, rounded up.
    TOLERANCE = 0.04

    VALGRIND = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--vgdb=no"].freeze

    # What was measured, under which circumstances it may be compared, and by case and subject.
    attr_reader :table

    # @yield before each case and subject
    def initialize
      @table = { ruby: RUBY_DESCRIPTION, cpu: Machine.cpu, valgrind: `valgrind --version`.chomp, instructions: {} }
      CASES.each do |name, count|
        file = "#{Runner::DIRECTORY}/#{name}.rb"
        kase = Case.load(file)
        SUBJECTS.select { |subject| subject.family == "evented" && kase.bodies.key?(subject.kind) }.each do |subject|
          yield "#{name}: #{subject.name}"
          (@table[:instructions][name] ||= {})[subject.name] = of(subject, file, count)
        end
      end
    end

    def keep = File.write(PATH, "#{JSON.pretty_generate(@table)}\n")

    # @return [Hash, nil] the table that is kept, if it was made under the same circumstances
    def kept
      return unless File.exist?(PATH)

      kept = JSON.parse(File.read(PATH))
      kept["instructions"] if @table.except(:instructions).all? { |name, value| kept[name.to_s] == value }
    end

    # @return [Array<Array(String, String, Integer, Integer)>] case, subject, now and (or nil) as kept
    def rows
      before = kept || {}
      @table[:instructions].flat_map do |name, subjects|
        subjects.map { |subject, now| [name, subject, now, before.dig(name, subject)] }
      end
    end

    private

    def of(subject, file, count)
      few, many = [count, 3 * count].map { |operations| collected(subject, file, operations) }
      (many - few) / (2 * count)
    end

    def collected(subject, file, operations)
      # Nothing to warm up, then the one run.
      _, errors, status = Open3.capture3(Measuring.environment(subject), *VALGRIND,
                                         *Measuring.command(subject, file), "", stdin_data: "0\n#{operations}\n")
      errors[/Collected : (\d+)/, 1]&.to_i || raise(Failure, "callgrind, #{status}: #{errors.lines.last(3).join}")
    end
  end
end
