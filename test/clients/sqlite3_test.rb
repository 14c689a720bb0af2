# frozen_string_literal: true

require "helper"
require "support/client_row"
require "support/ticker"
require "tmpdir"

# Plain sqlite3, unchanged. It keeps Ruby's lock while it works, so it lets nobody run, no other thread either; what
# helps is what the table of `docs/clients.md` calls remedies, and these are its recipes.
class SQLite3Test < Minitest::Test
  extend ClientRow

  client "sqlite3", yields: "no"
  fails :a
  with_remedy :b, :c, :d
  without :e, :g

  # Computes for some 0.1 s.
  COMPUTES = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 500000) SELECT max(n) FROM c"

  def setup
    require "sqlite3"
    SQLite3::ForkSafety.suppress_warnings!
    @directory = Dir.mktmpdir("evented-sqlite-")
    @path = "#{@directory}/database"
    open_database { |database| database.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE things (n)") }
  rescue LoadError
    skip "the sqlite3 gem is not installed"
  end

  def teardown = FileUtils.rm_rf(@directory.to_s)

  def test_writers_that_wait_for_each_other
    in_reactor do
      writers = Array.new(10) do |n|
        Evented do
          open_database do |database|
            once_free { database.execute("BEGIN IMMEDIATE") }
            sleep 0.005
            database.execute("INSERT INTO things VALUES (?)", [n])
            database.execute("COMMIT")
          end
        end
      end
      writers.each(&:wait)

      assert_equal (0...10).to_a, things
    end
  end

  def test_b_a_query_that_computes_lets_nobody_run_on_a_thread_of_its_own_either
    in_reactor do
      open_database do |database|
        [-> { database.execute(COMPUTES) }, -> { Evented.offload { database.execute(COMPUTES) } }].each do |query|
          rows, ticker = Ticker.beside(&query)

          assert_equal [[500_000]], rows
          assert_operator ticker.ticks, :<=, 2
        end
      end
    end
  end

  def test_b_a_query_that_computes_in_another_process
    in_reactor do
      rows, ticker = Ticker.beside { in_a_process { open_database { |database| database.execute(COMPUTES) } } }

      assert_equal [[500_000]], rows
      assert_operator ticker.ticks, :>=, 5
    end
  end

  def test_b_a_database_that_is_locked
    in_reactor do
      while_locked do |release|
        _, ticker = Ticker.beside do
          writer = Evented { open_database { |own| once_free { own.execute("INSERT INTO things VALUES (1)") } } }
          sleep 0.1
          release.call
          writer.wait
        end

        assert_operator ticker.ticks, :>=, 5
      end

      assert_equal [1], things
    end
  end

  def test_c_cancelled_while_it_is_locked_and_used_again
    in_reactor do
      open_database do |database|
        while_locked do |release|
          task = Evented { once_free { database.execute("INSERT INTO things VALUES (1)") } }
          sleep 0.005
          task.cancel
          assert_raises(Evented::Cancel) { task.value }
          release.call
        end
        database.execute("INSERT INTO things VALUES (2)")

        assert_equal([[2]], Evented.offload { database.execute("SELECT n FROM things") })
      end
    end
  end

  def test_d_a_timeout_while_it_is_locked
    in_reactor do
      open_database do |database|
        while_locked do |release|
          assert_raises(Timeout::Error) do
            Timeout.timeout(0.01) { once_free { database.execute("INSERT INTO things VALUES (1)") } }
          end
          release.call
        end
        database.execute("INSERT INTO things VALUES (2)")

        assert_equal [[2]], database.execute("SELECT n FROM things")
      end
    end
  end

  def test_f_a_forked_child_and_its_parent_both_go_on
    in_reactor do
      open_database do |database|
        database.execute("INSERT INTO things VALUES (1)")

        written = in_a_process { open_database { |own| own.execute("INSERT INTO things VALUES (2) RETURNING n") } }

        assert_equal [[2]], written
        assert_equal [[1], [2]], database.execute("SELECT n FROM things ORDER BY n")
      end
    end
  end

  private

  def open_database
    database = SQLite3::Database.new(@path)
    yield database
  ensure
    database&.close
  end

  def things = open_database { |database| database.execute("SELECT n FROM things ORDER BY n") }.flatten

  # Waits outside of SQLite. Its own way, `busy_handler_timeout=`, sleeps inside: that lets others run as well, but who
  # is interrupted there leaves the database locked for all other threads.
  def once_free
    yield
  rescue SQLite3::BusyException
    sleep 0.002
    retry
  end

  # Waits for what another process computes.
  def in_a_process
    reader, writer = IO.pipe
    child = Process.fork do
      Marshal.dump(yield, writer)
      writer.close
      exit!
    end
    writer.close
    Marshal.load(reader.read) # rubocop:disable Security/MarshalLoad -- it is our own
  ensure
    Process.wait(child) if child
    reader&.close
  end

  def while_locked
    open_database do |database|
      database.execute("BEGIN IMMEDIATE")
      yield -> { database.execute("COMMIT") }
    end
  end
end
