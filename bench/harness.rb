# frozen_string_literal: true

# The benchmarks' harness. A claim is a ratio measured in the same run on the same cores, with CPU time beside wall time
# and with the floor, which no Ruby scheduler can beat, in the same table. From outside to inside:
#
#   run.rb        the command: which cases, how often            ruby bench/run.rb spawn switch
#   runner.rb     cases × variants × rounds × subjects, interleaved (A B C A B C …)
#   case.rb       what a file of bench/cases declares
#   subjects.rb   who competes: the floor, evented on each driver, threads, Async, EventMachine
#   effort.rb     how much is done: to measure, or to see that it runs
#   measuring.rb  one sample of who does the work in a process of its own: worker.rb, which measures by run.rb
#   serving.rb    one sample of a server, under load.rb, which costs its process
#   usage.rb      what a process has used
#   tracer.rb     its system calls
#   profile.rb    where the time of one request goes           ruby bench/profile.rb "evented uring" 64
#   figures.rb    medians and spreads from samples
#   results.rb    all of a case, to print and to keep under bench/results
#   table.rb goals.rb chart.rb report.rb markdown.rb    for the eye
#   machine.rb    where and with what it was measured
module Bench
  ROOT = File.expand_path("..", __dir__)
end

require_relative "harness/case"
require_relative "harness/figures"
require_relative "harness/load"
require_relative "harness/machine"
require_relative "harness/markdown"
require_relative "harness/profile"
require_relative "harness/report"
require_relative "harness/runner"
require_relative "harness/subjects"
