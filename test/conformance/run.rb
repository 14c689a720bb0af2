# frozen_string_literal: true

# Runs CRuby's own test/fiber, of the very Ruby that runs this, against Evented::Scheduler, on the driver that
# EVENTED_DRIVER names. A test that fails without being listed in expected_failures.yml fails the run, and so does one
# that is listed and passes.
#
# CONFORMANCE_SCHEDULER=cruby runs them against CRuby's example scheduler instead, which tells whether the tests
# themselves work on this machine.

require "fileutils"
require "json"
require "rbconfig"
require "tmpdir"
require "yaml"
require_relative "sources"

# One run over all files.
class Conformance
  # Seconds for one test; CRuby's own give up after 10 at most, but for the one that stresses the GC.
  LIMIT = Float(ENV.fetch("CONFORMANCE_LIMIT", 60))
  ROOT = File.expand_path("../..", __dir__)
  REFERENCE = ENV["CONFORMANCE_SCHEDULER"] == "cruby"

  Outcome = Data.define(:state, :text)

  def initialize
    @source = Sources.directory
    @expected = REFERENCE ? {} : expectations
    @outcomes = {}
  end

  # @return [Boolean] whether all is as expected
  def run
    Dir.mktmpdir("evented-conformance") do |directory|
      FileUtils.cp_r(File.join(@source, "test/fiber"), directory)
      @directory = File.join(directory, "fiber")
      FileUtils.cp(File.join(__dir__, "cruby_scheduler.rb"), File.join(@directory, "scheduler.rb")) unless REFERENCE
      Dir[File.join(@directory, "test_*.rb")].each { |file| run_file(file) }
    end
    summarize
  end

  private

  def expectations
    all = YAML.safe_load_file(File.join(__dir__, "expected_failures.yml")) || {}
    all.each_value { |tests| check_reasons(tests || {}) }
    all[RUBY_VERSION[/\A\d+\.\d+/]] || {}
  end

  def check_reasons(tests)
    tests.each do |test, reason|
      abort "#{test} is listed without a reason" if reason.to_s.strip.empty?
      abort "#{test}: \"not implemented\" is no reason" if reason.match?(/not (?:yet )?implemented|\btodo\b/i)
    end
  end

  # A test that hangs or crashes takes the process with it; the others of its file get another one.
  def run_file(file)
    started = now
    before = @outcomes.size
    finished = []
    loop do
      broken = attempt(file, finished)
      break unless broken

      finished << broken
    end
    ours = @outcomes.to_a[before..]
    puts format("  %-26<file>s %3<passed>d passed, %<failed>d failed (%<time>.1f s)",
                file: File.basename(file), passed: ours.count { |_, outcome| outcome.state == :passed },
                failed: ours.count { |_, outcome| outcome.state == :failed }, time: now - started)
  end

  # @return [String, nil] the test that ended the process, if one did
  def attempt(file, left_out)
    report = File.join(@directory, "#{File.basename(file)}-#{left_out.size}.jsonl")
    output = "#{report}.out"
    FileUtils.touch(report)
    env = { "RUBYLIB" => File.join(ROOT, "lib"), "RUBYOPT" => nil, "BUNDLE_GEMFILE" => nil }
    pid = Process.spawn(env, RbConfig.ruby, "-W1", "-I#{File.join(@source, "tool/lib")}", "-I#{@directory}",
                        File.join(__dir__, "reporter.rb"), file, report, *left_out,
                        in: File::NULL, %i[out err] => output, pgroup: true)
    how = wait(pid, report)
    read(report, how, File.read(output).scrub)
  end

  # Gives each test its time: the report's growth says that another one has begun.
  #
  # @return [String, nil] why the process did not end well
  def wait(pid, report)
    size = 0
    deadline = now + LIMIT
    until (_, status = Process.wait2(pid, Process::WNOHANG))
      if (grown = File.size(report)) > size
        size = grown
        deadline = now + LIMIT
      elsif now > deadline
        Process.kill(:USR1, pid) # the reporter then says where everything stands, if it still can
        sleep 1
        Process.kill(:KILL, -pid)
        Process.wait(pid)
        return "hung: killed after #{LIMIT} s"
      end
      sleep 0.02
    end
    "ended its process: #{status}" unless status.success?
  end

  def read(report, how, output)
    current = nil
    faults = []
    File.foreach(report) do |line|
      event = JSON.parse(line, symbolize_names: true)
      case event[:event]
      when "start"
        current = event[:test]
        faults = []
      when "finish"
        @outcomes[event[:test]] = judge(faults)
        current = nil
      else faults << event
      end
    end
    return unless how

    # Without a test that had begun, the file did not load, and nothing of it ran.
    @outcomes[current || "loading #{File.basename(report)}"] =
      Outcome.new(:failed, "#{how}\n#{output.lines.first(200).join}")
    current
  end

  def judge(faults)
    failures = faults.select { |fault| fault[:event] == "fault" }
    return Outcome.new(:failed, failures.map { |fault| fault[:text] }.join("\n")) if failures.any?

    faults.any? ? Outcome.new(:skipped, faults.first[:text]) : Outcome.new(:passed, nil)
  end

  def summarize
    failed = @outcomes.select { |_, outcome| outcome.state == :failed }
    stale = @expected.keys.reject { |test| failed.key?(test) }
    unlisted = failed.except(*@expected.keys)
    unlisted.each { |test, outcome| puts "", "FAILED #{test}", outcome.text.gsub(/^/, "    ") }
    failed.slice(*@expected.keys).each_key { |test| puts "expected to fail: #{test}: #{@expected[test]}" }
    stale.each { |test| puts "STALE #{test} is listed in expected_failures.yml and did not fail: remove it" }
    passed = @outcomes.count { |_, outcome| outcome.state == :passed }
    puts "#{passed} passed, #{unlisted.size + stale.size} failed, " \
         "#{@outcomes.size - passed - unlisted.size} skipped"
    passed.positive? && unlisted.empty? && stale.empty?
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

$stdout.sync = true
driver = ENV.fetch("EVENTED_DRIVER", "the driver of its choice")
whose = Conformance::REFERENCE ? "its own example scheduler" : "evented on #{driver}"
puts "Ruby #{RUBY_VERSION}'s test/fiber with #{whose}:"
exit(Conformance.new.run)
