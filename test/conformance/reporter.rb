# frozen_string_literal: true

# Runs one of CRuby's test files and writes a line of JSON for each thing that happens, so that whoever reads it knows
# how far a run came that hung or crashed.
#
#     ruby reporter.rb FILE REPORT [TEST-TO-LEAVE-OUT …]

require "core_assertions"
require "json"
require "tempfile" # CRuby's own runner loads it, and some tests count on that
require "test/unit"
require "test/unit/collector/descendant"
require "test/unit/ui/testrunner"
require "test/unit/ui/testrunnermediator"

Test::Unit::AutoRunner.need_auto_run = false
Test::Unit::TestCase.include(Test::Unit::CoreAssertions)

# A runner that says it in JSON.
class Reporter < Test::Unit::UI::TestRunner
  def self.name_of(test) = "#{test.class.name}##{test.method_name}"

  def initialize(suite, report)
    super(suite)
    @report = report
  end

  private

  def attach_to_mediator
    @mediator.add_listener(Test::Unit::TestCase::STARTED_OBJECT) { |test| say(:start, self.class.name_of(test)) }
    @mediator.add_listener(Test::Unit::TestCase::FINISHED_OBJECT) { |test| say(:finish, self.class.name_of(test)) }
    @mediator.add_listener(Test::Unit::TestResult::FAULT) do |fault|
      # An omission is CRuby's own word that a test does not apply here.
      kind = fault.is_a?(Test::Unit::Failure) || fault.is_a?(Test::Unit::Error) ? :fault : :omission
      say(kind, nil, fault.long_display)
    end
  end

  def say(event, test, text = nil)
    @report.puts(JSON.generate({ event:, test:, text: text&.scrub }))
    @report.flush
  end
end

Signal.trap(:USR1) do
  Thread.list.each { |thread| warn(thread.inspect, *thread.backtrace) }
  ObjectSpace.each_object(Fiber) { |fiber| warn(fiber.inspect, *fiber.backtrace) if fiber.alive? }
end

file, report, *left_out = ARGV
ARGV.clear
require File.expand_path(file)

collector = Test::Unit::Collector::Descendant.new
collector.filter = ->(test) { !left_out.include?(Reporter.name_of(test)) }
Reporter.new(collector.collect(File.basename(file)), File.open(report, "a")).start
# What is left over must not keep the process; close at exit is tested in processes of their own.
exit!(0)
