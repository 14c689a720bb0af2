# frozen_string_literal: true

require "helper"
require "support/client_tests"
require "support/relay"
require "support/throwaway_postgres"
require "support/tls_certificates"

# Plain pg, unchanged, against a real server.
class PgTest < Minitest::Test
  include ClientTests

  client "pg"
  with_remedy :c

  class << self
    # One cluster for all tests; it ends with this process.
    def postgres
      @postgres ||= ThrowawayPostgres.new(tls: TLSCertificates.leaf).tap { |own| Minitest.after_run { own.close } }
    end
  end

  def setup
    require "pg"
    skip "PostgreSQL's binaries (initdb, postgres) are not installed" unless ThrowawayPostgres.available?
    @conninfo = self.class.postgres.conninfo
    @relay = Relay.new(self.class.postgres.socket)
  rescue LoadError
    skip "the pg gem is not installed"
  end

  def teardown = @relay&.close

  # The recipe of `docs/clients.md`.
  def test_c_a_query_that_is_given_up_when_it_is_left
    in_reactor do
      with_clients(1) do |(client)|
        [0, 0.001, 0.01].each do |seconds|
          task = Evented { query(client, "SELECT 'late', pg_sleep(60)") }
          sleep seconds
          task.cancel
          assert_raises(Evented::Cancel) { task.value }
          assert_raises(Timeout::Error) { Evented.timeout(0.01) { query(client, "SELECT 'late', pg_sleep(60)") } }

          assert_equal PG::PQTRANS_IDLE, client.transaction_status
          works(client)
        end
      end
    end
  end

  # At whichever moment. pg asks the server once to give the query up, so that this may take as long as the query does.
  def test_c_a_transaction_that_is_cancelled_is_rolled_back
    in_reactor do
      with_clients(2) do |(client, other)|
        other.exec("CREATE TABLE cancelled (n int)")
        [0, 0, 0.0005, 0.001, 0.002, 0.005].each do |seconds|
          task = Evented do
            client.transaction do
              client.exec("INSERT INTO cancelled VALUES (1)")
              client.exec("SELECT pg_sleep(0.5)")
            end
          end
          sleep seconds
          task.cancel
          assert_raises(Evented::Cancel) { task.value }

          assert_equal "0", other.exec("SELECT count(*) FROM cancelled").getvalue(0, 0)
          works(client)
        end
      ensure
        other.exec("DROP TABLE cancelled")
      end
    end
  end

  # Though nobody has told the server to give it up.
  def test_c_the_answer_of_a_cancelled_query_is_not_taken_for_that_of_the_next
    in_reactor do
      with_clients(1) do |(client)|
        task = Evented { client.exec("SELECT 'late', pg_sleep(0.1)") }
        task.cancel
        assert_raises(Evented::Cancel) { task.value }

        works(client)
      end
    end
  end

  def test_the_other_fibers_go_on
    in_company { assert_equal("1", with_connection { |connection| connection.exec("SELECT 1").getvalue(0, 0) }) }
  end

  def test_parameters_and_prepared_statements
    in_company do
      with_connection do |connection|
        assert_equal "3", connection.exec_params("SELECT $1::int + $2::int", [1, 2]).getvalue(0, 0)
        connection.prepare("twice", "SELECT $1::int * 2")
        assert_equal "42", connection.exec_prepared("twice", [21]).getvalue(0, 0)
      end
    end
  end

  def test_many_rows
    in_company do
      with_connection do |connection|
        assert_equal 50_000, connection.exec("SELECT repeat('x', 100) FROM generate_series(1, 50000)").ntuples
      end
    end
  end

  def test_a_transaction_that_fails_is_rolled_back
    in_company do
      with_connection do |connection|
        connection.exec("CREATE TEMP TABLE things (n int PRIMARY KEY)")
        assert_raises(PG::UniqueViolation) do
          connection.transaction { 2.times { connection.exec("INSERT INTO things VALUES (1)") } }
        end
        assert_equal "0", connection.exec("SELECT count(*) FROM things").getvalue(0, 0)
      end
    end
  end

  def test_copy_in_both_directions
    in_company do
      with_connection do |connection|
        connection.exec("CREATE TEMP TABLE things (n int)")
        connection.copy_data("COPY things FROM STDIN") { 10_000.times { |n| connection.put_copy_data("#{n}\n") } }
        sum = 0
        connection.copy_data("COPY things TO STDOUT") do
          while (row = connection.get_copy_data) do sum += row.to_i end
        end

        assert_equal (0...10_000).sum, sum
      end
    end
  end

  def test_notifications_from_another_fiber
    in_company do
      heard = nil
      with_connection do |listener|
        listener.exec("LISTEN news")
        parked { listener.wait_for_notify(5) { |channel, _, payload| heard = [channel, payload] } }
        with_connection { |speaker| speaker.exec("NOTIFY news, 'hello'") }
        wait_until { heard }
      end

      assert_equal %w[news hello], heard
    end
  end

  def test_nothing_heard_in_time
    in_company { with_connection { |listener| assert_nil listener.wait_for_notify(0.001) } }
  end

  def test_a_query_that_takes_too_long_is_cancelled
    in_company do
      with_connection do |connection|
        query = nil
        parked { query = outcome { connection.exec("SELECT pg_sleep(60)") } }
        with_connection do |other|
          # Again and again, for the server may not have got the query yet.
          wait_until { other.exec("SELECT pg_cancel_backend(#{connection.backend_pid})") && query }
        end

        assert_instance_of PG::QueryCanceled, query
        assert_equal "1", connection.exec("SELECT 1").getvalue(0, 0)
      end
    end
  end

  def test_a_timeout_around_a_query
    in_company do
      with_connection do |connection|
        assert_raises(Timeout::Error) { Timeout.timeout(0.05) { connection.exec("SELECT pg_sleep(60)") } }
      end
      with_connection { |connection| assert_equal "1", connection.exec("SELECT 1").getvalue(0, 0) }
    end
  end

  def test_a_pool_of_connections
    in_reactor do
      pool = Queue.new
      5.times { pool << PG.connect(@conninfo) }
      sums = Array.new(50) do |n|
        Evented do
          connection = pool.pop
          connection.exec("SELECT #{n}").getvalue(0, 0).to_i
        ensure
          pool << connection
        end
      end

      assert_equal (0...50).to_a, sums.map(&:value)
      5.times { pool.pop.close }
    end
  end

  def test_a_server_that_is_not_there
    in_company { assert_raises(PG::ConnectionBad) { PG.connect("host=/nowhere/at/all user=postgres") } }
  end

  private

  def with_connection
    connection = PG.connect(@conninfo)
    yield connection
  ensure
    connection&.close
  end

  def connect(tls: false, timeout: nil)
    where = if tls
              root = TLSCertificates.root_file
              { host: "localhost", port: self.class.postgres.tls_port, sslmode: "verify-full", sslrootcert: root }
            else
              { host: "localhost", port: @relay.port, sslmode: "disable" }
            end
    PG.connect(user: "postgres", dbname: "postgres", **where).tap do |connection|
      # The server's: pg itself has none.
      connection.exec("SET statement_timeout = #{(timeout * 1000).to_i}") if timeout
    end
  end

  def ask(client, text) = client.exec_params("SELECT $1::text", [text]).getvalue(0, 0)

  def slow(client) = client.exec("SELECT pg_sleep(#{SLOW})")

  def stuck(client) = client.exec("SELECT 'late', pg_sleep(60)")

  def hang_up = @relay.cut

  def query(connection, sql)
    connection.exec(sql)
  ensure
    Evented.shield { give_up(connection) } if connection.transaction_status == PG::PQTRANS_ACTIVE
  end

  # Again and again, for the server may not have got the query yet.
  def give_up(connection)
    loop do
      connection.cancel
      break if connection.block(0.05)
    end
    connection.discard_results
  end

  # Otherwise the next query would wait until the interrupted one is through.
  def recovered(client) = client.tap { give_up(client) }

  def reconnected(client) = client.tap(&:reset)

  def timeouts = [PG::QueryCanceled]

  def hang_ups = [PG::ConnectionBad, PG::UnableToSend]
end
