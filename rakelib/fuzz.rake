# frozen_string_literal: true

# Random trials, in processes of a few thousand, so that each can be had again and the end of a process is tried too.
module FuzzRuns
  extend Rake::DSL

  A_PROCESS = 5_000

  # A native hang can't be reported by the watchdog: SIGSEGV makes Ruby print its C backtrace.
  LIMIT = %w[timeout --signal=SEGV --kill-after=20 400].freeze

  module_function

  def all(kind, count)
    seed = Integer(ENV.fetch("SEED") { Random.rand(1_000_000_000) })
    drivers.each do |driver|
      left = count
      (seed..).each do |own|
        one(kind, [left, A_PROCESS].min, own, driver)
        break unless (left -= A_PROCESS).positive?
      end
    end
  end

  def one(kind, count, seed, driver)
    limit = system("timeout --version", out: File::NULL, err: File::NULL) ? LIMIT : []
    sh({ "EVENTED_DRIVER" => driver }, *limit, RbConfig.ruby, "-w", "-Ilib", "test/fuzz/run.rb", kind, count.to_s,
       seed.to_s, verbose: false) do |ok, status|
      next if ok

      abort "fuzz:#{kind} failed (#{status}). To have it again:\n  " \
            "EVENTED_DRIVER=#{driver} SEED=#{seed} bundle exec rake 'fuzz:#{kind}[#{count}]'"
    end
  end

  def drivers = ENV.fetch("EVENTED_DRIVER", "uring poll").split
end

namespace :fuzz do
  desc "Cancel fibers at random, so many times a driver (EVENTED_DRIVER=one, SEED=number to have a failure again)"
  task :cancel, [:count] => :compile do |_, arguments|
    FuzzRuns.all("cancel", Integer(arguments.fetch(:count, 100_000)))
  end
end
