# frozen_string_literal: true

# `rake bench:llm`: a burst of streams of a language model into PostgreSQL by Active Record, on 25 threads, and on
# fibers of evented and Async. bench/llm/driver.rb is one sample, bench/llm/job.rb what is done, bench/llm/server.c the
# model.
#
#     ruby bench/llm/run.rb [--streams N] [--rounds N] [--only MODE,…] [--smoke] [--save]

require "etc"
require "json"
require "open3"
require "optparse"
require "rbconfig"
require_relative "../../test/support/throwaway_postgres"
require_relative "../harness"
require_relative "report"

module LLM
  TOKENS = 40
  MILLISECONDS = 20
  # Who does it, and how many at a time.
  SUBJECTS = [["threads", 25], *[25, 100, 500, 1000, 5000].product(%w[evented async]).map(&:reverse)].freeze
  DIRECTORY = __dir__

  # All of them, in turns.
  class Run
    def initialize(streams:, rounds:, subjects:)
      @streams = streams
      @rounds = rounds
      @subjects = subjects
    end

    # @return [Array<Hash>] of each the sample with the median of seconds
    def call
      samples = Hash.new { |all, subject| all[subject] = [] }
      ThrowawayPostgres.open do |postgres|
        @rounds.times do |round|
          @subjects.each do |subject|
            samples[subject] << sample(postgres, *subject)
            warn "round #{round + 1}: #{samples[subject].last}"
          end
        end
      end
      samples.values.map { |all| median(all) }
    end

    private

    def sample(postgres, mode, concurrency)
      Open3.popen2(server, TOKENS.to_s, MILLISECONDS.to_s) do |input, output, _|
        env = { "LLM_PORT" => output.gets.chomp, "LLM_PG" => postgres.conninfo[/host=(\S+)/, 1] }
        # As many at least as are to be done at a time.
        command = ["#{DIRECTORY}/driver.rb", mode, concurrency.to_s, [@streams, concurrency].max.to_s]
        said, complaint, status = Open3.capture3(env, RbConfig.ruby, "-I#{Bench::ROOT}/lib", *command)
        input.close
        raise Bench::Failure, "#{mode} #{concurrency}: #{complaint[0, 2000]}" unless status.success?

        JSON.parse(said, symbolize_names: true)
      end
    end

    def server
      @server ||= "#{Bench::Commands::BUILT}/llm-server".tap do |path|
        FileUtils.mkdir_p(File.dirname(path))
        system(ENV.fetch("CC", "cc"), "-O2", "-o", path, "#{DIRECTORY}/server.c", exception: true)
      end
    end

    def median(samples)
      fastest, slowest = samples.map { |one| one[:seconds] }.minmax
      samples.sort_by { |one| one[:seconds] }[samples.size / 2].merge(fastest: fastest, slowest: slowest)
    end
  end
end

options = { streams: 1000, rounds: 3 }
OptionParser.new do |parser|
  parser.on("--streams N", Integer)
  parser.on("--rounds N", Integer)
  parser.on("--only MODE,…", Array, "threads, evented, async")
  parser.on("--smoke", "hardly any work: does it still run?")
  parser.on("--save", "keep them under bench/llm/results")
end.parse!(into: options)
options.merge!(streams: 20, rounds: 1) if options[:smoke]

begin
  raise Bench::Missing, "PostgreSQL's server (initdb) is not there" unless ThrowawayPostgres.available?

  load = File.exist?("/proc/loadavg") ? File.read("/proc/loadavg")[/\S+/] : "unknown"
  subjects = options[:smoke] ? [["threads", 5], ["evented", 20], ["async", 20]] : LLM::SUBJECTS
  subjects = subjects.select { |subject| options[:only].include?(subject.first) } if options[:only]
  results = LLM::Run.new(streams: options[:streams], rounds: options[:rounds], subjects: subjects).call
  machine = "#{RUBY_DESCRIPTION}, #{Etc.nprocessors} cores, load average #{load} when it began"
  report = LLM::Report.new(results, machine)
  puts report
  report.save("#{LLM::DIRECTORY}/results") if options[:save]
  # What others lose stands in the table.
  lost = results.select { |one| one[:mode] == "evented" && one[:complete] < one[:streams] }
  abort "not all was stored: #{lost}" if lost.any?
rescue Bench::Missing => e
  warn "bench: llm is left out: #{e.message}"
rescue Bench::Failure => e
  abort "bench: #{e.message}"
end
