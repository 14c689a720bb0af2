# frozen_string_literal: true

require "helper"
require "support/rails_process"
require "support/throwaway_postgres"

class DoctorTest < Minitest::Test
  include RailsProcess

  def test_a_sound_application_has_no_errors
    report, status = doctor

    assert_equal 0, status, report
    assert_match(/^ok       Rails \d/, report)
    assert_match(/^ok       the driver is #{Evented.driver}/, report)
    assert_match(/^ok       the isolation level is :fiber/, report)
    assert_match(/^ok       tasks are wrapped in the executor/, report)
    assert_match(/^ok       the database primary \(postgresql\) waits without blocking/, report)
    assert_match(/^0 errors, \d+ warnings, \d+ ok$/, report)
  end

  def test_a_database_that_is_away_is_no_reason_to_fail
    report, = doctor

    assert_match(/^warning  the database primary \(postgresql\) can't be asked: .*\n +→ see whether it runs/, report)
  end

  def test_pools_are_compared_with_what_the_server_allows
    skip "PostgreSQL's binaries are not installed" unless ThrowawayPostgres.available?

    ThrowawayPostgres.open do |postgres|
      host = postgres.conninfo[/host=(\S+)/, 1]
      report, status = doctor(database(host: host, pool: 5))
      assert_match(/^ok       the database primary \(postgresql\) allows 200 connections, and the pool is 5/, report)
      assert_equal 0, status, report

      report, status = doctor(database(host: host, pool: 500))
      assert_match(/^error    the database primary .*allows 200 connections, and the pool of each process is 500/,
                   report)
      assert_equal 1, status
    end
  end

  def test_thread_isolation_is_an_error
    report, status = doctor("", <<~SETTINGS)
      config.active_support.isolation_level = :thread
      config.evented.allow_thread_isolation = true
    SETTINGS

    assert_match(/^error    the isolation level is :thread.*\n +→ remove config/, report)
    assert_equal 1, status
  end

  def test_adapters_and_gems_that_block_and_pools_of_one_are_named
    report, = doctor(database(adapter: "sqlite3", pool: 1), "", <<~RUBY)
      gems = Gem.loaded_specs.merge("typhoeus" => nil, "grpc" => nil)
      Evented::Rails::Doctor.new(gems: gems).report
    RUBY

    assert_match(/^warning  the database primary \(sqlite3\) blocks the thread.*\n +→ .*Evented.offload/, report)
    assert_match(/^warning  .*a pool of 1: a transaction keeps all others waiting\n +→ set pool:/, report)
    assert_match(/^warning  the gem typhoeus blocks .*\n +→ use Net::HTTP/, report)
    assert_match(/^warning  the gem grpc blocks/, report)
  end

  def test_a_machine_with_little_room_is_told
    report, = doctor("", "", "Evented::Rails::Doctor.new(maps: 10_000, descriptors: 256).report")

    assert_match(/^warning  room for about 5000 fibers .*\n +→ sysctl -w vm.max_map_count/, report)
    assert_match(/^warning  a process may have 256 descriptors.*\n +→ raise it/, report)
  end

  def test_workers_that_make_no_sense_are_errors
    file("config/queue.yml", "test: { workers: [{ fibers: 0 }, { fibers: 5, threads: 3 }, { fibers: 50 }] }")
    report, status = doctor

    assert_equal 1, status
    assert_match(/^error    fibers: in config.queue.yml has to be at least 1, not 0/, report)
    assert_match(/^error    a worker in .* has either fibers: or threads:/, report)
    assert_match(/^ok       a worker in .* does 50 jobs at a time in fibers/, report)
  end

  private

  # @return [Array(String, Integer)] what it says, and its exit status
  def doctor(database = "", settings = "", script = <<~RUBY)
    require "rake"
    App.load_tasks
    Rake::Task["evented:doctor"].invoke
  RUBY
    file("config/database.yml", database) unless database.empty?
    report, errors, status = ruby(whole(settings, script), env: env_of_app({}), limit: PATIENCE)
    refute_nil status.exitstatus, errors
    [report + errors, status.exitstatus]
  end

  def database(adapter: "postgresql", host: "/nowhere", pool: 5)
    "test: { adapter: #{adapter}, host: #{host}, username: postgres, database: postgres, pool: #{pool} }"
  end
end
