# frozen_string_literal: true

require "digest"
require "support/event_machine"
require "support/protocol_recorder"
require "support/scripted_peer"
require "support/throwaway_postgres"
# The real one first, where it is installed.
$LOAD_PATH.push(File.expand_path("../../support/postgres_pr", __dir__))

class EMPostgres3Test < Minitest::Test
  include ProtocolRecorder

  def test_without_the_gem_it_says_what_is_missing
    not_of_eventmachine("says what it could not load")
    said = output_of_em(<<~RUBY)
      module Hidden
        def require(name)
          return super unless name.start_with?("postgres-pr")

          raise LoadError.new("cannot load such file").tap { |error| error.define_singleton_method(:path) { name } }
        end
      end
      Object.prepend(Hidden)
      begin
        EM::P::Postgres3
      rescue LoadError => e
        puts e.message
      end
    RUBY
    assert_match(/needs the gem postgres-pr: add `gem "postgres-pr"` to the Gemfile/, said)
  end

  def test_queries_of_a_real_server
    skip "PostgreSQL is not installed" unless ThrowawayPostgres.available?
    outcomes = []
    ThrowawayPostgres.open do |postgres|
      path = File.join(postgres.conninfo[/host='?([^' ]+)/, 1], ".s.PGSQL.5432")
      em do
        db = EM.connect_unix_domain(path, EM::P::Postgres3)
        db.connect("postgres", "postgres").callback do |connected|
          outcomes << connected
          db.query("select n, null as nothing from generate_series(1, 3) n").callback do |done, result, errors|
            outcomes << [done, result.rows, errors.size]
            db.query("nonsense").callback do |asked, _, complaints|
              outcomes << [asked, complaints.size]
              EM.stop
            end
          end
        end
      end
    end
    assert_equal [true, [true, [["1", nil], ["2", nil], ["3", nil]], 0], [true, 1]], outcomes
  end

  def test_a_login_that_is_refused_is_told
    not_of_eventmachine("raises")
    skip "PostgreSQL is not installed" unless ThrowawayPostgres.available?
    outcome = nil
    ThrowawayPostgres.open do |postgres|
      path = File.join(postgres.conninfo[/host='?([^' ]+)/, 1], ".s.PGSQL.5432")
      em do
        EM.connect_unix_domain(path, EM::P::Postgres3).connect("nowhere", "postgres").callback do |connected, message|
          outcome = [connected, message]
          EM.stop
        end
      end
    end
    assert_equal false, outcome.first
    assert_includes outcome.last, 'database "nowhere" does not exist'
  end

  def test_passwords
    { "R\0\0\0\x08\0\0\0\3" => "secret",
      "R\0\0\0\x0c\0\0\0\5salt" => md5("secret", "user", "salt") }.each do |asked, told|
      db = logging_in("secret")
      db.sent.clear
      db.receive_data(asked.b)
      assert_equal "p#{[told.bytesize + 5].pack("N")}#{told}\0".b, db.sent
    end
  end

  def test_a_login_that_is_not_possible_is_told
    not_of_eventmachine("raises")
    { 3 => /no password/, 7 => /another authentication/ }.each do |kind, message|
      outcome = nil
      logging_in do |pending|
        pending.callback do |*told|
          outcome = told
        end
      end.receive_data("R\0\0\0\x08\0\0\0#{kind.chr}".b)
      assert_equal false, outcome.first
      assert_match message, outcome.last
    end
  end

  def test_what_was_not_answered_will_not_be
    outcomes = []
    logging_in { |pending| pending.callback { |*told| outcomes << told } }.unbind
    reacting do
      db = record(recording(EM::P::Postgres3))
      db.query("select 1").callback { |*told| outcomes << told }
      db.unbind
    end
    assert_equal [[false, "lost connection"]] * 2, outcomes
  end

  def test_one_query_after_the_other
    refused = nil
    reacting do
      db = record(recording(EM::P::Postgres3))
      db.query("select 1")
      db.query("select 2").callback { |*told| refused = told }
    end
    assert_equal [false, "Operation already in progress"], refused
  end

  def test_any_split_gives_the_same_calls
    data = "R\0\0\0\x08\0\0\0\0S\0\0\0\x08a\0b\0Z\0\0\0\5I" \
           "D\0\0\0\x0b\0\1\0\0\0\x011C\0\0\0\x0dSELECT 1\0Z\0\0\0\5I".b
    assert_any_split_is_the_same(data, rounds: 10) do |feed|
      log = []
      reacting do
        db = record(recording(EM::P::Postgres3))
        db.connect("db", "user").callback do |connected|
          log << connected
          db.query("select 1").callback { |done, result, errors| log << [done, result.rows, result.cmd_tag, errors] }
        end
        feed.call(db)
      end
      log
    end
  end

  def test_garbage_closes_the_connection
    not_of_eventmachine("waits for more of it")
    ["HTTP/1.1 400 Bad Request\r\n", "R\0\0\0\0", "R\xFF\xFF\xFF\xFF"].each do |garbage|
      db = logging_in
      db.receive_data(garbage.b)
      assert_equal [[:close]], db.log
    end
  end

  private

  # Deferrables have timeouts.
  def reacting
    em do
      yield
      EM.stop
    end
  end

  def logging_in(password = nil)
    db = record(recording(EM::P::Postgres3))
    reacting do
      pending = db.connect("db", "user", password)
      yield pending if block_given?
    end
    db
  end

  def md5(password, user, salt)
    "md5#{Digest::MD5.hexdigest("#{Digest::MD5.hexdigest("#{password}#{user}")}#{salt}")}"
  end
end
