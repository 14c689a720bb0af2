# frozen_string_literal: true

# The long forms of tests that have one (test/support/stress.rb), and tests under conditions that take too long for
# every run. bin/test has the short forms. Each prints what it did.
module StressRuns
  # Test files by what they are about.
  LONG = {
    memory: %w[test/native/memory_test.rb],
    threads: %w[test/native/threads_test.rb],
    signals: %w[test/native/signals_test.rb test/native/traps_test.rb],
    forks: %w[test/fork/workload_test.rb]
  }.freeze

  module_function

  def each_driver(files, env, names = %w[uring poll])
    names.each { |name| TestRuns.ruby(files, env.merge("EVENTED_DRIVER" => name)) }
  end
end

desc "Everything under stress: some hours"
task stress: (StressRuns::LONG.keys + %i[gc rings]).map { |name| "stress:#{name}" }

namespace :stress do
  StressRuns::LONG.each do |name, files|
    desc "The long forms of #{files.join(" and ")}, on both drivers"
    task name => :compile do
      StressRuns.each_driver(files, "STRESS" => "1", "TEST_LIMIT" => "3600")
    end
  end
end
