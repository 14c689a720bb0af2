# frozen_string_literal: true

# Each run is a process of its own, since the driver is chosen once a process.
module TestRuns
  extend Rake::DSL

  # What is the same on both drivers, and therefore runs once.
  ONCE = %w[test/meta test/packaging test/conformance].freeze

  # What loads Rails and other large gems, in a process of its own: where GC.stress collects all that each time, and
  # Rails has changed encodings, other tests would test something else.
  WITH_GEMS = %w[test/clients test/rails test/guides/rails_test.rb].freeze

  # A native hang can't be reported by the watchdog of test/helper.rb: SIGSEGV makes Ruby print its C backtrace.
  LIMIT = %w[timeout --signal=SEGV --kill-after=20].freeze

  module_function

  # @param files [Array<String>] test files, run together in one process
  # @param env [Hash] environment of that process
  # @param command [String] which Ruby
  # @param seconds [Integer] that it may take
  def ruby(files, env = {}, command: RbConfig.ruby, seconds: 1_700)
    abort "No test files here: #{env.inspect}" if files.empty?
    limit = system("timeout --version", out: File::NULL, err: File::NULL) ? [*LIMIT, seconds.to_s] : []
    requires = files.map { |file| "require #{File.expand_path(file).dump}" }.join(";")
    options = ENV.fetch("TESTOPTS", "").split
    sh(env, *limit, command, "-w", "-Ilib", "-Itest", "-e", requires, "--", *options,
       verbose: false) do |ok, status|
      abort "the tests failed (#{status})" unless ok
    end
  end

  # As {#ruby}, in a process for each kind of file. The second runs also if the first has failed.
  def in_processes(files, env, **)
    groups = files.partition { |file| !file.start_with?(*WITH_GEMS) }.reject(&:empty?)
    abort "No test files here: #{env.inspect}" if groups.empty?
    failures = groups.filter_map do |group|
      ruby(group, env, **)
    rescue SystemExit => e
      e
    end
    raise failures.first if failures.any?
  end

  def driver_files
    Rake::FileList[ENV.fetch("TEST", "test/**/*_test.rb")].reject { |file| file.start_with?(*ONCE) }.sort
  end
end

desc "Run the Ruby tests on both drivers, then those of the project itself"
task test: %w[test:uring test:poll test:meta]

namespace :test do
  %w[uring poll].each do |driver|
    desc "Run the Ruby tests on the #{driver} driver (TEST=file, TESTOPTS='-n /name/')"
    task driver => :compile do
      TestRuns.in_processes(TestRuns.driver_files, { "EVENTED_DRIVER" => driver })
    end
  end

  desc "Run the tests of the project itself: signatures, versions, names in the docs"
  task meta: :compile do
    TestRuns.ruby(Rake::FileList["test/meta/*_test.rb"].sort)
  end

  desc "Build the gem, install it into an empty GEM_HOME and use it"
  task :packaging do
    TestRuns.ruby(Rake::FileList["test/packaging/*_test.rb"].sort)
  end

  desc "Run the core's tests, which need no Ruby"
  task :core do
    sh "cargo", "test", "--locked", "-p", "evented-core"
    Rake::Task["test:loom"].invoke
  end
end
