# frozen_string_literal: true

# Runs a suite of benchmarks: `ruby bench/run.rb micro`, or `rake bench:micro`.

require "optparse"
require_relative "harness"

options = { rounds: 7 }
usage = OptionParser.new do |parser|
  parser.banner = "Usage: ruby bench/run.rb SUITE [options]"
  parser.on("--rounds N", Integer, "samples of each subject (#{options[:rounds]})")
  parser.on("--only CASE,…", Array, "these cases only")
  parser.on("--smoke", "each once, with little work: does it still run?")
  parser.on("--save", "write bench/results/SUITE.json and .md")
end

begin
  usage.parse!(into: options)
  suite = Bench::Suite.load(ARGV.fetch(0) { raise OptionParser::MissingArgument, "SUITE" }, only: options[:only])
rescue OptionParser::ParseError, ArgumentError => e
  abort "bench: #{e.message}\n\n#{usage}"
end

begin
  results = suite.run(rounds: options[:smoke] ? 1 : options[:rounds], smoke: options[:smoke])
rescue Bench::Suite::Failure => e
  abort "bench: #{e.message}"
end
puts results
results.save if options[:save]
