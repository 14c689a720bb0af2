# frozen_string_literal: true

require "helper"
require "support/client_tests"
require "support/relay"
require "support/throwaway_maria_db"

# Plain mysql2, unchanged, against a real MariaDB. It lets others run while a query has no answer, and then only.
class Mysql2Test < Minitest::Test
  include ClientTests

  client "mysql2", yields: "partly"
  with_remedy :c, :d, :e

  def setup
    require "mysql2"
    skip "mariadbd is not installed" unless ThrowawayMariaDB.available?
    @relay = Relay.new(ThrowawayMariaDB.shared.port)
  rescue LoadError
    skip "the mysql2 gem is not installed"
  end

  def teardown = @relay&.close

  def test_b_connecting_blocks_and_can_be_offloaded
    in_reactor do
      blocked, offloaded = ticks_with_and_without_offload do
        @relay.hold_for(SLOW)
        connect.close
      end

      assert_operator blocked, :<=, 2
      assert_operator offloaded, :>=, 10
    end
  end

  def test_b_a_prepared_statement_blocks_and_can_be_offloaded
    in_reactor do
      with_clients(1) do |(client)|
        statement = client.prepare("SELECT SLEEP(#{SLOW})")
        blocked, offloaded = ticks_with_and_without_offload { statement.execute.to_a }

        assert_operator blocked, :<=, 2
        assert_operator offloaded, :>=, 10
      end
    end
  end

  def test_b_rows_that_come_slowly_block_and_can_be_offloaded
    in_reactor do
      with_clients(1) do |(client)|
        # The first row fills what the server sends at once; the next comes when it has slept.
        rows = "SELECT REPEAT('x', 100000), 0 UNION ALL SELECT 'last', SLEEP(#{SLOW})"
        blocked, offloaded = ticks_with_and_without_offload { client.query(rows, stream: true, cache_rows: false).to_a }

        assert_operator blocked, :<=, 2
        assert_operator offloaded, :>=, 10
      end
    end
  end

  def test_c_cancelled_and_connected_again_by_itself
    in_reactor do
      with_clients(1, reconnect: true) do |(client)|
        task = Evented { stuck(client) }
        a_few_turns
        task.cancel
        assert_raises(Evented::Cancel) { task.value }

        works(client)
      end
    end
  end

  def test_a_client_that_another_fiber_is_using_refuses
    in_reactor do
      with_clients(1) do |(client)|
        waiting = Evented { client.query("SELECT SLEEP(0.1)").to_a }

        assert_match(/in use/, assert_raises(Mysql2::Error) { client.query("SELECT 1") }.message)
        waiting.wait
      end
    end
  end

  private

  def ticks_with_and_without_offload(&)
    [Ticker.beside(&), Ticker.beside { Evented.offload(&) }].map { |_, ticker| ticker.ticks }
  end

  # Its timeouts are whole seconds.
  def connect(tls: false, timeout: 5, **more)
    options = if tls
                { port: ThrowawayMariaDB.shared.port, ssl_mode: :verify_identity, sslca: TLSCertificates.root_file }
              else
                { port: @relay.port, ssl_mode: :disabled }
              end
    Mysql2::Client.new(host: "127.0.0.1", username: "root", read_timeout: timeout.ceil, **options, **more)
  end

  def ask(client, text) = client.query("SELECT '#{client.escape(text)}' AS said").first["said"]

  def slow(client) = client.query("SELECT SLEEP(#{SLOW})").to_a

  def stuck(client) = client.query("SELECT SLEEP(60)").to_a

  def hang_up = @relay.cut

  # An interrupted query ends its connection.
  def recovered(_client) = connect

  def reconnected(_client) = connect

  def timeouts = [Mysql2::Error]

  def hang_ups = [Mysql2::Error]
end
