# frozen_string_literal: true

# The benchmarks' harness. A claim is a ratio measured in the same run on the same cores, with CPU time beside wall time
# and with the floor, which no Ruby scheduler can beat, in the same table. From outside to inside:
#
#   run.rb        the command: which suite, how often            ruby bench/run.rb micro
#   suite.rb      its cases × subjects × rounds, interleaved (A B C A B C …), each sample in a process of its own
#   subjects.rb   who competes: the floor, evented on each driver, threads, Async
#   worker.rb     that process: warms up, measures once, prints the sample
#   case.rb       what a file of bench/micro or bench/tasks declares
#   figures.rb    medians and spreads from samples
#   results.rb    all of it, to print and to keep under bench/results
#   table.rb      one case's figures for the eye
#   markdown.rb   tables
#   machine.rb    where and with what it was measured
module Bench
  ROOT = File.expand_path("..", __dir__)
end

require_relative "harness/case"
require_relative "harness/figures"
require_relative "harness/machine"
require_relative "harness/markdown"
require_relative "harness/subjects"
require_relative "harness/suite"
require_relative "harness/table"
