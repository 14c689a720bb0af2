# frozen_string_literal: true

require "open3"
require "rbconfig"
require "tempfile"
require "timeout"

# Runs gems that were written for EventMachine, unmodified, in a Ruby of their own: on evented, or, with EM_ORACLE=1,
# on EventMachine itself, which shows that a test asks for the right thing.
module GemProcess
  ORACLE = ENV.key?("EM_ORACLE")
  LOADS = ORACLE ? "eventmachine" : "evented/eventmachine"
  # Seconds until a process has said something, or has ended.
  PATIENCE = 30

  # A process that serves, and what it said first.
  Served = Struct.new(:pid, :said, :status)

  private

  # Skips the test when a gem isn't there, or one that it needs.
  def needs_gems(*names)
    missing = names.filter_map { |name| lacking(name) }.uniq
    skip "not installed for Ruby #{RUBY_VERSION}: #{missing.join(", ")}" unless missing.empty?
  end

  # @return [String, nil] the first that isn't there of a gem and those it needs
  def lacking(name, requirement = Gem::Requirement.default)
    found = Gem::Specification.find_all_by_name(name, requirement).max_by(&:version) or return name
    found.runtime_dependencies.filter_map { |other| lacking(other.name, other.requirement) }.first
  end

  # Skips the test when a program isn't there.
  def needs_programs(*names)
    missing = names.reject { |name| ENV["PATH"].split(":").any? { |path| File.executable?("#{path}/#{name}") } }
    skip "not installed: #{missing.join(", ")}" unless missing.empty?
  end

  def not_on_eventmachine(reason)
    skip "EventMachine can't: #{reason}" if ORACLE
  end

  # @return [Array<String>] Ruby with EventMachine's API
  def ruby_with_em(*arguments)
    [RbConfig.ruby, "-I#{ROOT}/lib", "-r#{LOADS}", *arguments]
  end

  # Runs a script to its end, which has to be a good one.
  #
  # @return [String] what it wrote
  def output_with_em(script, env: {}, patience: PATIENCE)
    output, errors, status = Open3.capture3(env, "timeout", "--signal=KILL", patience.to_s,
                                            *ruby_with_em("-e", "$stdout.sync = true\n#{script}"))
    assert_predicate status, :success?, "#{status}\n#{output}\n#{errors}"
    output
  end

  # Runs a script that prints a line once it serves, yields, and asks it to end; it has to end well.
  #
  # @yieldparam served [Served]
  # @return [Process::Status]
  def serving(*command, signal: :TERM)
    command = ruby_with_em("-e", "$stdout.sync = true\n#{command.first}") if command.size == 1
    reader, writer = IO.pipe
    errors = Tempfile.new("errors")
    served = Served.new(spawn(*command, out: writer, err: errors.path))
    writer.close
    served.said = first_line(reader) or raise "it said nothing: #{File.read(errors)}"
    yield served
  ensure
    end_well(served, signal, errors) if served
    [reader, errors].each(&:close)
  end

  def first_line(reader)
    Timeout.timeout(PATIENCE) { reader.gets }&.chomp
  end

  def end_well(served, signal, errors)
    Process.kill(signal, served.pid)
    _, status = Timeout.timeout(PATIENCE) { Process.wait2(served.pid) }
    assert_predicate status, :success?, "#{status}\n#{File.read(errors)}" unless $!
  rescue Timeout::Error
    Process.kill(:KILL, served.pid)
    Process.wait(served.pid)
    raise "it did not end after #{signal}: #{File.read(errors)}" unless $!.is_a?(Minitest::Assertion)
  end

  # @return [String] the output of a program that has to end well
  def output_of(*command)
    output, errors, status = Open3.capture3(*command)
    assert_predicate status, :success?, "#{command.join(" ")}: #{status}\n#{output}\n#{errors}"
    output
  end
end

Minitest::Test.include(GemProcess)
