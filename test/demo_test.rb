# frozen_string_literal: true

require "helper"
require "json"
require "open3"
require "support/throwaway_postgres"

# The demo, with small numbers. What it takes is a matter of the machine; that nothing gets lost is not.
class DemoTest < Minitest::Test
  def test_each_contender_makes_every_call
    figures = demo("--requests", "60", "--no-postgres")

    assert_equal [RUBY_VERSION, Evented.driver.to_s, []], figures.values_at(:ruby, :driver, :failures)
    assert_equal %i[one_by_one threads evented], figures[:http].keys
    assert_equal [60], figures[:http].values.map { |contender| contender[:count] }.uniq
    assert_equal Evented.driver.to_s, figures.dig(:http, :evented, :driver)
    assert_equal 2, figures.dig(:http, :one_by_one, :estimated_from)
    figures[:http].each_value { |contender| assert_operator contender[:seconds], :>, 0 }
  end

  def test_the_sql_half
    begin
      require "pg"
    rescue LoadError
      skip "the pg gem is not there"
    end
    skip "no PostgreSQL server found" unless ThrowawayPostgres.available?

    figures = demo("--requests", "5", "--queries", "12", "--connections", "4", "--postgres")

    assert_equal [12], figures[:postgresql].values.map { |contender| contender[:count] }.uniq
    assert_empty figures[:failures]
  end

  def test_the_half_without_postgresql_is_left_out_with_a_reason
    figures = demo("--requests", "5", "--no-postgres")

    refute figures.key?(:postgresql)
    assert_equal({ postgresql: "not asked for" }, figures[:left_out])
  end

  def test_a_person_gets_bars_and_the_facts
    output, errors, status = run_demo("--requests", "5", "--no-postgres")

    assert_predicate status, :success?, errors
    assert_match(/5 × Net::HTTP.get/, output)
    ["one by one (estimated)", "3 threads", "evented (#{Evented.driver})"].each do |name|
      assert_match(/#{Regexp.escape(name)}\s+┤/, output)
    end
    assert_match(/driver: #{Evented.driver} · Ruby #{RUBY_VERSION} · peak memory/, output)
  end

  def test_a_failed_call_is_told_and_fails_the_demo
    output, errors, status = run_demo("--requests", "5", "--no-postgres", "--json",
                                      rubyopt: "-r#{__dir__}/support/wrong_answers")

    refute_predicate status, :success?
    assert_match(/evented: RuntimeError: GET \S+ was answered with "wrong"/, errors)
    refute_empty JSON.parse(output)["failures"]
  end

  def test_bad_options_are_refused_with_the_usage
    ["--requests 0", "--requests many", "--nonsense"].each do |options|
      _, errors, status = run_demo(*options.split)

      refute_predicate status, :success?
      assert_match(%r{\Abin/demo: invalid .*--\w+.*^Usage:}m, errors)
    end
  end

  private

  def demo(*options)
    output, errors, status = run_demo("--json", *options)
    assert_predicate status, :success?, errors
    JSON.parse(output, symbolize_names: true)
  end

  def run_demo(*options, rubyopt: nil)
    env = { "RUBYOPT" => [ENV.fetch("RUBYOPT", nil), rubyopt].compact.join(" ") }
    small = %w[--threads 3 --delay 0.02 --sample 2]
    Open3.capture3(env, RbConfig.ruby, "-I#{ROOT}/lib", "#{ROOT}/examples/demo/demo.rb", *small, *options)
  end
end
