# frozen_string_literal: true

require "helper"
require "open3"
require "support/throwaway_postgres"

# Every example checks itself: it has to end well, say what it did, and warn of nothing.
class ExamplesTest < Minitest::Test
  SAYS = {
    "fan_out_http" => /\A50 answers of 0.2 s each in \d+\.\d+ s\n\z/,
    "pg_pool" => /\A40 transactions over 5 connections, 40 rows\n\z/,
    "queue_workers" => /\A20 jobs done by 4 workers at a time, their sum is 2470\n\z/,
    "subprocesses" => /\Afour child processes, three of which slept 0.3 s, in \d+\.\d+ s\n\z/
  }.freeze

  SAYS.each do |name, output|
    define_method("test_#{name}") do
      needs_postgresql if name == "pg_pool"

      said, warned, status = Open3.capture3(RbConfig.ruby, "-w", "-I#{ROOT}/lib", "#{ROOT}/examples/#{name}.rb")

      assert_predicate status, :success?, warned
      assert_match output, said
      assert_empty warned
    end
  end

  def test_every_example_is_run_here
    assert_equal Dir["#{ROOT}/examples/*.rb"].map { |file| File.basename(file, ".rb") }.sort, SAYS.keys.sort
  end

  private

  def needs_postgresql
    require "pg"
    skip "no PostgreSQL server found" unless ThrowawayPostgres.available?
  rescue LoadError
    skip "the pg gem is not there"
  end
end
