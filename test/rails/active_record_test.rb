# frozen_string_literal: true

require "support/active_record"
require "timeout"

# Active Record, unchanged, in many fibers over few connections, against a real server.
class ActiveRecordFibersTest < Minitest::Test
  include ActiveRecordTest

  def test_a_thousand_tasks_share_five_connections
    values = in_reactor do
      Array.new(1000) { |n| Evented { select("SELECT #{n} FROM pg_sleep(0.001)") } }.map(&:value)
    end

    assert_equal (0...1000).to_a, values
    assert_operator pool.connections.size, :<=, ActiveRecordTest::POOL
  end

  def test_a_crowd_outlasts_the_checkout_timeout
    with_checkout_timeout(0.2) do
      values = in_reactor { Array.new(50) { |n| Evented { select("SELECT #{n} FROM pg_sleep(0.1)") } }.map(&:value) }

      assert_equal (0...50).to_a, values # it takes a second
    end
  end

  def test_queries_that_take_longer_than_the_checkout_timeout_are_waited_for
    with_checkout_timeout(0.1) do
      values = in_reactor { Array.new(10) { |n| Evented { select("SELECT #{n} FROM pg_sleep(0.4)") } }.map(&:value) }

      assert_equal (0...10).to_a, values
    end
  end

  def test_transactions_at_the_same_time_have_connections_of_their_own
    gate = Evented::Condition.new
    inside = 0
    backends = in_reactor do
      tasks = Array.new(5) do
        Evented do
          Entry.transaction do
            first = backend
            inside += 1
            gate.wait
            assert_equal first, backend
            first
          end
        end
      end
      wait_until { inside == 5 }
      gate.broadcast
      tasks.map(&:value)
    end

    assert_equal 5, backends.uniq.size
  end

  def test_interleaved_transactions_do_not_see_each_other
    in_reactor do
      writer_is_in = Evented::Promise.new
      reader_has_read = Evented::Promise.new
      writer = Evented do
        Entry.transaction do
          Entry.create!(name: "uncommitted")
          writer_is_in.resolve
          reader_has_read.value
          raise ActiveRecord::Rollback
        end
      end
      writer_is_in.value
      Entry.transaction { assert_equal 0, Entry.count }
      reader_has_read.resolve
      writer.value
    end

    assert_equal 0, Entry.count
  end

  def test_a_hundred_interleaved_transactions_add_up
    Entry.create!(name: "counter", number: 0)
    in_reactor do
      Array.new(100) do |n|
        Evented do
          Entry.transaction do
            counter = Entry.lock.find_by!(name: "counter")
            counter.update!(number: counter.number + 1)
            raise ActiveRecord::Rollback if n.odd?
          end
        end
      end.each(&:wait)
    end

    assert_equal 50, Entry.find_by!(name: "counter").number
  end

  def test_a_cancelled_transaction_is_rolled_back
    in_reactor do
      task = Evented do
        Entry.transaction do
          Entry.create!(name: "never")
          select("SELECT 1 FROM pg_sleep(60)")
        end
      end
      wait_until { querying?("pg_sleep(60)") }
      started = now
      task.cancel
      assert_raises(Evented::Cancel) { task.value }

      assert_operator now - started, :<, 5, "the query was waited for"
      assert_equal 0, Entry.count
    end
    assert_equal 0, in_transaction
  end

  def test_a_transaction_that_is_cancelled_while_it_waits_for_something_else_is_rolled_back
    in_reactor do
      task = Evented do
        Entry.transaction do
          Entry.create!(name: "never")
          sleep
        end
      end
      wait_until { in_transaction == 1 }
      task.cancel
      assert_raises(Evented::Cancel) { task.value }
    end

    assert_equal 0, Entry.count
    assert_equal 0, in_transaction
  end

  def test_a_cancelled_query_does_not_keep_its_connection_busy
    in_reactor do
      task = Evented { select("SELECT 1 FROM pg_sleep(60)") }
      wait_until { querying?("pg_sleep(60)") }
      task.cancel
      assert_raises(Evented::Cancel) { task.value }

      wait_until { !querying?("pg_sleep(60)") }
      assert_equal (0...20).to_a, Array.new(20) { |n| Evented { select("SELECT #{n}") } }.map(&:value)
    end
  end

  def test_queries_that_are_cancelled_as_they_leave_end_too
    in_reactor do
      Evented { select("SELECT 1") }.wait
      started = now
      50.times do |n|
        task = Evented { select("SELECT 1 FROM pg_sleep(60)") }
        (n % 5).times { sleep 0 }
        task.cancel
        assert_raises(Evented::Cancel) { task.value }
      end

      # Asked once, at the wrong moment, one of them would keep its task for five seconds, and its server for a minute.
      assert_operator now - started, :<, 20
      wait_until { !querying?("pg_sleep(60)") }
    end
  end

  def test_timeouts_end_queries
    in_reactor do
      assert_raises(Timeout::Error) { Timeout.timeout(0.05) { select("SELECT 1 FROM pg_sleep(60)") } }
      assert_raises(Evented::TimeoutError) { Evented.timeout(0.05) { select("SELECT 1 FROM pg_sleep(60)") } }
      assert_raises(RuntimeError) { Timeout.timeout(0.05, RuntimeError) { select("SELECT 1 FROM pg_sleep(60)") } }

      wait_until { !querying?("pg_sleep(60)") }
      assert_equal 1, select("SELECT 1")
    end
  end

  def test_a_timeout_that_is_rescued_inside_a_transaction_does_not_undo_it
    in_reactor do
      Entry.transaction do
        Entry.create!(name: "kept")
        assert_raises(Timeout::Error) { Timeout.timeout(0.05) { select("SELECT 1 FROM pg_sleep(0.3)") } }
        Entry.create!(name: "kept too")
      end
    end

    assert_equal ["kept", "kept too"], Entry.order(:id).pluck(:name)
  end

  def test_random_cancellation_and_timeouts_leave_everything_right
    random = Random.new(Minitest.seed)
    in_reactor do
      10.times do
        tasks = Array.new(20) { |n| Evented { disturbed(n, random.rand(0.03)) } }
        sleep random.rand(0.02)
        tasks.each do |task|
          task.cancel if random.rand(2).zero?
          outcome { task.value }
        end
      end
      Evented.map(0...1000, limit: 50) { |n| assert_equal n, select("SELECT #{n}") }
    end

    assert_equal 0, pool.stat[:busy]
    assert_equal 0, in_transaction
    # Each transaction writes two, or none.
    assert(Entry.group(:name).count.values.all?(2), Entry.group(:name).count.inspect)
  end

  def test_being_cancelled_at_any_moment_of_a_transaction_leaves_it_whole
    in_reactor do
      # A whole one takes some four answers of the server; each is a moment.
      60.times do |n|
        task = Evented do
          Entry.transaction do
            Entry.create!(name: "moment #{n}")
            Entry.create!(name: "moment #{n}")
          end
        end
        (n % 12).times { sleep 0 }
        sleep n * 0.00005
        task.cancel
        outcome { task.value }
      end
    end

    assert(Entry.group(:name).count.values.all?(2), Entry.group(:name).count.inspect)
    assert_equal 0, in_transaction
  end

  def test_a_killed_backend_costs_no_more_than_its_query
    in_reactor do
      task = Evented { outcome { select("SELECT 1 FROM pg_sleep(60)") } }
      pid = wait_until { querying?("pg_sleep(60)") }
      outside { |connection| connection.exec("SELECT pg_terminate_backend(#{pid})") }
      assert_kind_of ActiveRecord::StatementInvalid, task.value

      assert_equal (0...20).to_a, Array.new(20) { |n| Evented { select("SELECT #{n}") } }.map(&:value)
    end
  end

  def test_all_idle_backends_killed_is_not_noticed
    in_reactor do
      Array.new(5) { Evented { select("SELECT 1 FROM pg_sleep(0.05)") } }.each(&:wait)
      outside do |connection|
        connection.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() " \
                        "AND backend_type = 'client backend'")
      end
      pool.connections.each { |connection| connection.instance_variable_set(:@last_activity, nil) }

      assert_equal (0...20).to_a, Array.new(20) { |n| Evented { select("SELECT #{n}") } }.map(&:value)
    end
  end

  def test_a_server_that_starts_again_is_found_again
    in_reactor do
      Array.new(5) { Evented { select("SELECT 1 FROM pg_sleep(0.05)") } }.each(&:wait)
      tasks = Array.new(50) { |n| Evented { outcome { select("SELECT #{n} FROM pg_sleep(0.2)") } } }
      # What the server does when one of its processes crashes: all connections end, and it starts afresh.
      Process.kill(:KILL, wait_until { querying?("pg_sleep(0.2)") }.to_i)
      assert(tasks.map(&:value).any?(ActiveRecord::StatementInvalid))
      wait_until(deadline: 20) { outcome { Evented { select("SELECT 1") }.value } == 1 }

      Evented.map(0...1000, limit: 50) { |n| assert_equal n, select("SELECT #{n}") }
    end
  end

  def test_a_server_that_is_away_is_an_error_and_costs_no_connection
    ActiveRecordTest.connect(host: "/nowhere/at/all")
    in_reactor do
      errors = Array.new(20) { Evented { outcome { select("SELECT 1") } } }.map(&:value)
      assert_equal [ActiveRecord::ConnectionNotEstablished], errors.map(&:class).uniq
    end
    assert_equal 0, pool.stat[:busy]
    assert_equal 5, pool.__send__(:evented_permits).available
  ensure
    ActiveRecordTest.connect
  end

  def test_what_ends_without_giving_its_connection_back_gives_it_back
    in_reactor do
      Evented { ActiveRecord::Base.lease_connection.select_value("SELECT 1") }.wait
      Evented { pool.checkout.select_value("SELECT 1") }.wait
      Evented { pool.checkout && raise("broken") }.then { |task| assert_raises(RuntimeError) { task.value } }
      Evented { ActiveRecord::Base.lease_connection.begin_db_transaction }.wait
      Evented do
        ActiveRecord::Base.lease_connection.begin_transaction(joinable: true, _lazy: false)
        Entry.create!(name: "in nobody's transaction")
      end.wait

      assert_equal 0, pool.stat[:busy]
      assert_equal (0...20).to_a, Array.new(20) { |n| Evented { select("SELECT #{n}") } }.map(&:value)
    end
    assert_equal 0, Entry.count
    assert_equal 0, in_transaction
  end

  def test_connections_of_who_has_ended_without_a_word_are_found
    2.times do
      5.times { Fiber.new { pool.checkout }.resume }
      assert_equal 5, pool.stat[:dead]
      with_checkout_timeout(0.3) do
        values = in_reactor { Array.new(20) { |n| Evented { select("SELECT #{n}") } }.map(&:value) }

        assert_equal (0...20).to_a, values
      end
    end
  end

  def test_a_pool_of_one
    ActiveRecordTest.connect(pool: 1)
    values = in_reactor { Array.new(100) { |n| Evented { select("SELECT #{n}") } }.map(&:value) }

    assert_equal (0...100).to_a, values
  ensure
    ActiveRecordTest.connect
  end

  def test_tasks_that_hold_all_connections_and_wait_for_another_are_told
    with_checkout_timeout(0.2) do
      errors = in_reactor do
        gate = Evented::Promise.new
        tasks = Array.new(5) do
          Evented { Entry.transaction { backend && gate.value && outcome { Evented { select("SELECT 1") }.value } } }
        end
        wait_until { pool.stat[:busy] == 5 }
        gate.resolve(true)
        tasks.map(&:value)
      end
      # Who is told gives its own back, so that others may go on.
      error = errors.grep(ActiveRecord::ConnectionTimeoutError).first
      assert_match(/no query runs on any of the 5 of this pool.*inside of a transaction/, error&.message)
    end
    assert_equal 0, in_transaction
  end

  def test_who_waits_for_a_connection_can_be_cancelled
    in_reactor do
      holders = Array.new(5) { Evented { Entry.transaction { backend && sleep } } }
      wait_until { pool.stat[:busy] == 5 }
      waiting = Array.new(5) { Evented { select("SELECT 1") } }
      waiting.each(&:cancel)
      waiting.each { |task| assert_raises(Evented::Cancel) { task.value } }
      holders.each(&:cancel)
      holders.each { |task| outcome { task.value } }

      assert_equal 1, select("SELECT 1")
    end
  end

  def test_threads_beside_a_reactor_use_the_same_pool
    values = Queue.new
    threads = Array.new(10) do |t|
      Thread.new do
        10.times { |n| values << (select("SELECT #{(t * 10) + n}") == (t * 10) + n) }
      ensure
        ActiveRecord::Base.connection_handler.clear_active_connections!
      end
    end
    in_reactor { Array.new(100) { |n| Evented { values << (select("SELECT #{n}") == n) } }.each(&:wait) }
    threads.each(&:join)

    assert_equal [true], Array.new(values.size) { values.pop }.uniq
    assert_equal 0, pool.stat[:busy]
  end

  def test_load_async_in_tasks
    Entry.insert_all(Array.new(10) { |n| { name: "n", number: n } })
    # On threads of Active Record's own, and in fibers: a pool of ours is an executor, too.
    [Concurrent::ThreadPoolExecutor.new(max_threads: 4), Evented::FiberPool.new(4, name: "loading")].each do |executor|
      with_async_executor(executor) do
        in_reactor do
          sums = Array.new(20) { Evented { Entry.where("number > 0").load_async.tap { sleep 0 }.to_a.sum(&:number) } }

          assert_equal [45], sums.map(&:value).uniq
        end
        assert_operator executor.completed_task_count, :>, 0, "nothing was loaded by it"
      end
    end
  end

  def test_ten_thousand_short_tasks_leave_no_memory_behind
    sizes = [2_000, 10_000].map do |count|
      in_reactor { Evented.map(0...count, limit: 100) { |n| select("SELECT #{n}") } }
      GC.start
      File.read("/proc/self/status")[/VmRSS:\s+(\d+)/, 1].to_i
    end

    assert_operator sizes.last - sizes.first, :<, 20_000, "kB: #{sizes.inspect}"
    assert_equal 0, pool.stat[:busy]
  end

  def test_the_root_task_shares_its_callers_connection
    mine = backend
    assert_equal(mine, in_reactor { backend })
    Entry.transaction do
      Entry.create!(name: "uncommitted")
      assert_equal(1, in_reactor { Entry.count })
      assert_equal 0, in_reactor { Evented { Entry.count }.value }, "a child has a connection of its own"
      raise ActiveRecord::Rollback
    end
    assert_equal 0, Entry.count
  end

  private

  def disturbed(number, seconds)
    case number % 4
    when 0 then select("SELECT 1 FROM pg_sleep(#{seconds})")
    when 1 then Timeout.timeout(0.01) { select("SELECT 1 FROM pg_sleep(#{seconds})") }
    when 2 then written_twice(seconds)
    else Timeout.timeout(0.01) { written_twice(seconds) }
    end
  rescue Timeout::Error
    nil
  end

  def written_twice(seconds)
    name = rand.to_s
    Entry.transaction do
      Entry.create!(name: name)
      select("SELECT 1 FROM pg_sleep(#{seconds})")
      Entry.create!(name: name)
    end
  end

  # @return [String, nil] the backend that has this in its query
  def querying?(sql)
    outside do |connection|
      connection.exec_params(<<~SQL, [sql]).column_values(0).first
        SELECT pid FROM pg_stat_activity
        WHERE state = 'active' AND query LIKE '%' || $1 || '%' AND pid <> pg_backend_pid()
      SQL
    end
  end

  def with_async_executor(executor)
    ActiveRecord.async_query_executor = :global_thread_pool
    pool.instance_variable_set(:@async_executor, executor)
    yield
  ensure
    pool.instance_variable_set(:@async_executor, nil)
    ActiveRecord.async_query_executor = nil
    executor.shutdown
    executor.wait_for_termination(5)
  end

  def with_checkout_timeout(seconds)
    former = pool.checkout_timeout
    pool.checkout_timeout = seconds
    yield
  ensure
    pool.checkout_timeout = former
  end
end
