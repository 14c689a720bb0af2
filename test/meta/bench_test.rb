# frozen_string_literal: true

require "json"
require "support/base"
require_relative "../../bench/harness"

# What the benchmarks claim is computed here: medians, multiples, verdicts. That each case runs is for bench:smoke.
class BenchTest < Minitest::Test
  def test_a_figure_is_the_median_of_its_samples_with_the_spread_around_it
    samples = [300, 100, 200].map { |nanoseconds| sample(operations: 10, wall: nanoseconds * 10 / 1e9) }
    figures = Bench::Figures.of(samples, :wall)
    assert_in_delta 200, figures[:median], 1e-6
    assert_in_delta 100, figures[:lowest], 1e-6
    assert_in_delta 300, figures[:highest], 1e-6
    assert_in_delta 5e6, figures[:operations_a_second], 1
  end

  def test_a_server_is_judged_by_its_cpu_time
    figures = Bench::Figures.of([sample(operations: 1_000, wall: 1, user: 0.002, system: 0.004)], :cpu)
    assert_in_delta 6_000, figures[:median], 1e-6
    assert_in_delta 2_000, figures[:user], 1e-6
  end

  def test_switches_that_perf_counted_go_before_those_of_proc
    samples = [sample(context_switches: 0), sample(context_switches: 0, switches: 2.0)]
    assert_in_delta 2.0, Bench::Figures.of(samples, :wall)[:context_switches]
  end

  def test_the_best_of_each_family_is_compared
    found = verdicts_of({ family: "evented", limit: 1.4, sense: :at_most, other: "floor" },
                        { family: "evented", limit: 3.5, sense: :at_least, other: "Async" })
    assert_equal(["1.30 ×", "3.08 ×"], found.map(&:found))
    assert_equal([true, false], found.map(&:reached))
  end

  def test_a_goal_may_be_a_figure_of_its_own
    found = verdicts_of({ family: "evented", limit: 120, sense: :at_most }).first
    assert_equal "130", found.found
    refute found.reached
  end

  def test_what_nobody_was_measured_for_is_neither_reached_nor_missed
    assert_empty verdicts_of({ family: "evented", limit: 1, sense: :at_most, other: "Node" })
  end

  def test_verdicts_are_the_same_from_what_was_kept
    goals = [{ family: "evented", limit: 1.4, sense: :at_most, other: "floor" }]
    kept = JSON.parse(JSON.generate(results(goals)), symbolize_names: true)
    assert_equal verdicts_of(*goals), Bench::Goals.new(kept).verdicts
  end

  def test_a_table_puts_all_in_relation_to_the_floor_and_to_the_better_of_async
    table = Bench::Table.new(results([])).to_s
    assert_match(/^\| floor +\| +100 \|.*\| +1.00 \| +0.25 \|$/, table)
    assert_match(/^\| evented poll +\| +150 \|.*\| +1.50 \| +0.38 \|$/, table)
  end

  def test_growth_is_a_slope
    flat, steep = [[100, 100, 100], [100, 1_000, 10_000]].map do |medians|
      list = medians.zip([10, 100, 1_000]).map do |median, variant|
        { variant: variant, subjects: [subject("evented uring", "evented", median)] }
      end
      Bench::Table.new(results([]).merge(variants: list, variants_of: "fibers")).to_s[/evented uring ([+-]\d+\.\d+)/, 1]
    end
    assert_equal ["+0.000", "+1.000"], [flat, steep]
  end

  def test_every_case_says_what_it_measures_and_who_does_it
    Bench::Runner.names.each do |name|
      kase = Bench::Case.load("#{Bench::Runner::DIRECTORY}/#{name}.rb")
      assert_kind_of String, kase.measures, name
      refute_empty kase.bodies, name
      assert_includes Bench::Case::UNITS, kase.unit, name
    end
  end

  private

  def sample(**given)
    { operations: 1, wall: 1.0, user: 0.0, system: 0.0, context_switches: 0, peak_memory_kib: 1 }.merge(given)
  end

  def subject(name, family, median)
    { name: name, family: family, median: median, lowest: median, highest: median, cpu: 1.0, user: 1.0, system: 0.0,
      context_switches: 0.0 }
  end

  def results(goals)
    subjects = [subject("floor", "floor", 100), subject("evented uring", "evented", 130),
                subject("evented poll", "evented", 150), subject("Async epoll", "Async", 500),
                subject("Async io_uring", "Async", 400)]
    { case: "spawn", measures: "What it costs", floor: "bare", unit: "wall", machine: {}, goals: goals, left_out: [],
      variants: [{ variant: nil, subjects: subjects }] }
  end

  def verdicts_of(*goals) = Bench::Goals.new(results(goals)).verdicts
end
