# frozen_string_literal: true

# The long forms of tests that have one (test/support/stress.rb), and tests under conditions that take too long for
# every run. bin/test has the short forms. Each prints what it did.
module StressRuns
  # Test files by what they are about.
  LONG = {
    memory: %w[test/native/memory_test.rb test/native/gc_test.rb],
    threads: %w[test/native/threads_test.rb],
    signals: %w[test/native/signals_test.rb test/native/traps_test.rb],
    forks: %w[test/fork/workload_test.rb]
  }.freeze

  # Where GC.stress is worth its time: whatever meets the native extension. Not what runs in processes of its own, nor
  # the clients, whose allocations are not ours.
  GC_FILES = "test/{contract,native,evented,em}/**/*_test.rb"
  GC_MODES = %w[stress compact verify].freeze

  module_function

  def each_driver(files, env, names: %w[uring poll])
    names.each do |name|
      TestRuns.ruby(files, { "TEST_LIMIT" => "3600", "EVENTED_DRIVER" => name, **env }, seconds: 4 * 3600)
    end
  end
end

desc "Everything under stress: some hours"
task stress: (StressRuns::LONG.keys + %i[gc rings]).map { |name| "stress:#{name}" }

namespace :stress do
  StressRuns::LONG.each do |name, files|
    desc "The long forms of #{files.join(" and ")}, on both drivers"
    task name => :compile do
      StressRuns.each_driver(files, { "STRESS" => "1" })
    end
  end

  desc "The suite under GC.stress, with auto-compaction, and with verify_compaction_references (GC_MODE=one of them)"
  task gc: :compile do
    files = Rake::FileList[ENV.fetch("TEST", StressRuns::GC_FILES)].sort
    modes = ENV.key?("GC_MODE") ? [ENV.fetch("GC_MODE")] : StressRuns::GC_MODES
    modes.each { |mode| StressRuns.each_driver(["test/support/gc_mode.rb", *files], { "GC_MODE" => mode }) }
  end

  desc "The suite on rings of 64 entries, which overflow all the time"
  task rings: :compile do
    StressRuns.each_driver(TestRuns.driver_files, {}, names: %w[uring:64])
  end
end
