# frozen_string_literal: true

require "helper"
require "support/suite_process"

class TestUnitTest < Minitest::Test
  HEAD = <<~RUBY
    begin
      require "test/unit"
    rescue LoadError
      puts "none installed"
      exit!
    end
    require "evented/test-unit"
  RUBY
  SUITE = <<~RUBY
    class ExampleTest < Test::Unit::TestCase
      def setup = @task = Evented::Task.current
      cleanup { sleep(0) && assert_same(@task, Evented::Task.current) }
      def teardown = sleep(0) && assert_same(@task, Evented::Task.current)
      def test_passes = assert_equal(3, Evented { sleep(0.001) && 3 }.value)
      def test_child_fails = Evented { sleep(0) && assert_equal(1, 2) } && sleep(60)
      def test_child_nobody_waits_for = Evented { assert_equal 1, 2 }
      def test_two_children = Evented { assert_equal 1, 2 } && Evented { raise KeyError, "boo" }
      def test_grandchildren = Evented { Evented { flunk "one" } && Evented { flunk "two" } }.wait
      def test_child_omits = Evented { sleep } && Evented { omit "not now" } && sleep(60)
      def test_child_pends = Evented { pend "not yet" }
      def test_leaks_a_task = Evented(name: "left") { sleep }
      def test_leaks_a_fiber = Fiber.schedule { sleep }
      def test_leaks_a_descriptor = @file = File.open(__FILE__)
      def test_virtual_time = Evented::Testing.virtual_time { sleep 3600 }
      def test_deadlock = Queue.new.pop
    end

    class LimitTest < Test::Unit::TestCase
      evented timeout: 0.1

      def test_hangs = Evented(name: "hanger") { sleep }.wait
      def teardown = sleep(0) && puts("torn down")
    end

    class OffTest < Test::Unit::TestCase
      evented false

      def test_without = assert_nil(Evented::Task.current?)
    end
  RUBY
  ABOUT = {
    test_child_fails: /Failure: .*<1> expected but was\n<2>/m,
    test_child_nobody_waits_for: /Failure: .*<1> expected but was\n<2>/m,
    test_two_children: /Failure: .*<1> expected but was\n<2>.*Error: .*KeyError: boo/m,
    test_grandchildren: /Failure: .*: one.*Failure: .*: two/m,
    test_child_omits: /Omission: .*not now/,
    test_child_pends: /Pending: .*not yet/,
    test_leaks_a_task: /Failure: .*1 task left over.*"left" waiting sleep .* started at .*suite\.rb:\d+/m,
    test_leaks_a_fiber: /Failure: .*1 fiber of Fiber.schedule left over.*fiber started at .*suite\.rb:\d+/m,
    test_leaks_a_descriptor: /Failure: .*1 descriptor left over.*fd \d+: #<File:.*suite\.rb>/m,
    test_deadlock: /Error: .*Evented::Deadlock: nothing can ever wake this reactor.*Thread::Queue/m,
    test_hangs: /Error: .*test_hangs\(LimitTest\) has not ended after 0.1 s.*  "hanger" waiting sleep/m
  }.freeze

  def test_examples
    run = run_test_unit(SUITE)

    refute_predicate run.status, :success?
    ABOUT.each { |test, expected| assert_match expected, run.about(test, /^===+$/) }
    refute_match(/^\w+: (?:test_passes|test_virtual_time|test_without)\(/, run.output)
    assert_match(/^14 tests, \d+ assertions, 8 failures, 3 errors, 1 pendings, 1 omissions/, run.output)
    assert_equal 1, run.output.scan(/^torn down/).size
    assert_empty run.output.lines.grep(%r{lib/evented.*warning})
  end

  def test_an_order_that_can_be_had_again
    source = <<~RUBY
      Evented::Testing.configure(shuffle: true)
      class OrderTest < Test::Unit::TestCase
        def test_order
          order = []
          20.times { |n| Evented { sleep(0) && order << n } }
          sleep 0.001
          flunk "order: \#{order}"
        end
      end
    RUBY
    first = run_test_unit(source).output
    seed = first[/EVENTED_SEED=(\d+)/, 1]
    again = run_test_unit(source, env: { "EVENTED_SEED" => seed }).output

    refute_nil seed
    assert_equal first[/order: \[.*/], again[/order: \[.*/]
  end

  private

  def run_test_unit(source, env: {})
    run = run_suite(HEAD + source, "FILE", env: env)
    skip "test-unit is not installed here" if run.output.start_with?("none installed")
    run
  end
end
