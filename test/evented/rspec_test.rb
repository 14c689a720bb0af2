# frozen_string_literal: true

require "helper"
require "json"
require "support/suite_process"

class RSpecTest < Minitest::Test
  RUN = <<~RUBY
    begin
      require "rspec/core"
    rescue LoadError
      puts "none installed"
      exit!
    end
    exit RSpec::Core::Runner.run(ARGV)
  RUBY
  SUITE = <<~RUBY
    require "evented/rspec"
    RSpec.describe "evented", :evented do
      let(:slow) { Evented { sleep(0.01) && Object.new }.value }
      let(:by_another_task) { Evented { [slow] }.value }
      before { @task = Evented::Task.current }
      after { sleep(0) && expect(Evented::Task.current).to(equal(@task)) }

      it("passes") { expect(Evented { sleep(0.001) && 3 }.value).to eq 3 }
      it("let by two") { expect(Evented { slow }.value).to equal Evented { slow }.value }
      it("let at the same time") { expect(Array.new(3) { Evented { slow } }.map(&:value).uniq.size).to eq 1 }
      it("let in a let's task") { expect(by_another_task).to eq [slow] }
      it("let and a cancelled waiter") { Evented { slow }.then { |one| Evented { slow }.cancel && one.wait } }
      it("mocks") { double(call: 3).tap { |one| Evented { sleep(0) && expect(one.call).to(eq(3)) }.wait } }
      it("partial double") { expect(Kernel).to receive(:rand).and_return(4) and Evented { sleep(0) && Kernel.rand }.wait }
      it("virtual time") { Evented::Testing.virtual_time { sleep 3600 } }
      it("aggregates", :aggregate_failures) { Evented { expect(1).to(eq(2)) && expect(3).to(eq(4)) }.wait }
      it("off", evented: false) { @task = Evented::Task.current? }
      it("child fails") { Evented { sleep(0) && expect(1).to(eq(2)) } && sleep(60) }
      it("child nobody waits for") { Evented { expect(1).to eq 2 } }
      it("two children") { Evented { expect(1).to eq 2 } && Evented { expect(3).to eq 4 } }
      it("unexpected message") { double("it").tap { |one| Evented { sleep(0) && one.call }.wait } }
      it("never called") { expect(double("it")).to receive(:call) }
      it("skips in a child") { Evented { sleep } && Evented { skip "not now" } && sleep(60) }
      it("skips in a child nobody waits for") { Evented { skip "not now" } }
      it("pending") { [pending("later"), Evented { raise "boo" }.wait] }
      it("leaks a task") { Evented(name: "left") { sleep } }
      it("leaks a fiber") { Fiber.schedule { sleep } }
      it("leaks a descriptor") { @file = File.open(__FILE__) }
      it("may leak", evented: { allow: /left/, leaks: :tasks }) { Evented(name: "left") { sleep } && IO.pipe }
      it("hangs", evented: { timeout: 0.1 }) { Evented(name: "hanger") { sleep }.wait }
      it("deadlock") { Queue.new.pop }
      it("nonsense", evented: { patience: 3 }) {}

      context "overriding" do
        let(:slow) { [super(), 1] }

        it("let with super") { expect(slow.size).to eq 2 }
      end
    end

    RSpec.describe "plain" do
      it("as ever") { expect(Evented::Task.current?).to be_nil }
      it("one alone", :evented) { expect(Evented::Task.current?).to be }
    end
  RUBY
  PASSED = ["evented passes", "evented let by two", "evented let at the same time", "evented let in a let's task",
            "evented let and a cancelled waiter", "evented mocks", "evented partial double", "evented virtual time",
            "evented may leak", "evented overriding let with super", "plain as ever", "plain one alone"].freeze
  PENDING = { "evented skips in a child" => "not now", "evented skips in a child nobody waits for" => "not now",
              "evented pending" => "later" }.freeze
  FAILED = {
    "evented off" => /there is no current task/,
    "evented child fails" => /\A\s*expected: 2\s+got: 1/,
    "evented child nobody waits for" => /\A\s*expected: 2\s+got: 1/,
    "evented two children" => /expected: 2.*expected: 4/m,
    "evented aggregates" => /expected: 2.*expected: 4/m,
    "evented unexpected message" => /received unexpected message :call/,
    "evented never called" => /expected: 1 time.*\n.*received: 0 times/,
    "evented leaks a task" => /1 task left over.*\n"left" waiting sleep .* started at .*suite\.rb:\d+/,
    "evented leaks a fiber" => /1 fiber of Fiber.schedule left over.*\nfiber started at .*suite\.rb:\d+/,
    "evented leaks a descriptor" => /1 descriptor left over.*\nfd \d+: #<File:.*suite\.rb>/,
    "evented hangs" => /\Aevented hangs has not ended after 0.1 s\n"evented hangs" wait.*\n  "hanger" waiting sleep/,
    "evented deadlock" => /nothing can ever wake this reactor.*Thread::Queue/m,
    "evented nonsense" => /unknown keyword: :patience/
  }.freeze

  def test_examples
    run = run_rspec(SUITE, "--format", "json")
    examples = JSON.parse(run.output[/^\{.*\}$/])["examples"].group_by { |example| example["status"] }
    messages = examples["failed"].to_h { |example| [example["full_description"], example["exception"]["message"]] }

    assert_equal 1, run.status.exitstatus
    assert_empty run.output.lines.grep(%r{lib/evented.*warning})
    assert_equal PASSED.sort, names(examples["passed"])
    assert_equal(PENDING, examples["pending"].to_h { |one| one.values_at("full_description", "pending_message") })
    assert_equal FAILED.keys.sort, messages.keys.sort
    FAILED.each { |name, expected| assert_match expected, messages[name], name }
  end

  def test_everywhere_with_a_seed
    source = <<~RUBY
      require "evented/rspec"
      RSpec.configure { |config| config.evented = { shuffle: true, leaks: false } }
      RSpec.describe "order" do
        it "fails" do
          order = []
          20.times { |n| Evented { sleep(0) && order << n } }
          sleep 0.001
          IO.pipe
          raise "order: \#{order}"
        end
        it("aggregates", :aggregate_failures) { expect(1).to(eq(2)) }
        it("without", evented: false) { Evented::Task.current? and fail }
      end
    RUBY
    first = run_rspec(source, "--seed", "7").output
    other = run_rspec(source, "--seed", "8").output
    seed = first[/order: \[.*?EVENTED_SEED=(\d+)/m, 1]
    again = run_rspec(source, "--seed", "8", env: { "EVENTED_SEED" => seed }).output

    assert_match(/3 examples, 2 failures/, first)
    assert_equal 2, first.scan("EVENTED_SEED=").size
    refute_equal first[/order: \[.*/], other[/order: \[.*/]
    assert_equal first[/order: \[.*/], again[/order: \[.*/]
    assert_equal 2, again.scan("EVENTED_SEED=#{seed}").size
  end

  def test_an_exit_ends_the_run
    run = run_rspec(<<~RUBY)
      require "evented/rspec"
      RSpec.describe("end", :evented) do
        it("exits") { Evented { sleep(0) && exit(3) } && sleep(60) }
        it("goes on") { puts "went on" }
      end
    RUBY

    assert_equal 3, run.status.exitstatus
    refute_includes run.output, "went on"
  end

  private

  def names(examples) = examples.map { |example| example["full_description"] }.sort

  def run_rspec(source, *, env: {})
    run = run_suite(source, "-e", RUN, "--", "--options", File::NULL, "--order", "defined", *, "FILE",
                    env: env)
    skip "rspec is not installed here" if run.output.start_with?("none installed")
    run
  end
end
