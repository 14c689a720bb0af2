# frozen_string_literal: true

# Runs benchmarks: `ruby bench/run.rb [CASE…]`, or `rake bench`, `rake bench:CASE`.

require "optparse"
require_relative "harness"

options = { rounds: 3 }
usage = OptionParser.new do |parser|
  parser.banner = "Usage: ruby bench/run.rb [CASE…] [options]\n\nCases: #{Bench::Runner.names.join(", ")}\n\n"
  parser.on("--rounds N", Integer, "samples of each subject (#{options[:rounds]})")
  parser.on("--only SUBJECT,…", Array, "these subjects or families only")
  parser.on("--smoke", "each once, with little work: does it still run?")
  parser.on("--save", "keep them under bench/results: JSON, a picture, and README.md")
end

# What is started inherits it: servers of thousands of connections.
Process.setrlimit(:NOFILE, Process.getrlimit(:NOFILE).last)

begin
  usage.parse!(into: options)
  names = ARGV.empty? ? Bench::Runner.names : ARGV
  effort = options[:smoke] ? Bench::Effort.smoke : Bench::Effort.full(rounds: options[:rounds])
  Bench::Runner.new(names, effort: effort, subjects: options[:only]).run do |results|
    puts results, "\n"
    results.save if options[:save] && !results.empty?
  end
  Bench::Report.new.save if options[:save]
rescue OptionParser::ParseError => e
  abort "bench: #{e.message}\n\n#{usage}"
rescue Bench::Failure => e
  abort "bench: #{e.message}"
end
