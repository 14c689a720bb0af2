# frozen_string_literal: true

require "support/active_record"

# Transactional tests: one connection for everybody, inside of a transaction that is rolled back.
class TransactionalTest < Minitest::Test
  include ActiveRecordTest

  def setup
    super
    pool.pin_connection!(true)
  end

  def teardown
    pool.unpin_connection! unless ActiveRecordTest.missing
    super
    assert_equal 0, Entry.count unless ActiveRecordTest.missing
  end

  def test_a_reactor_inside_a_transaction_is_part_of_it
    Entry.transaction do
      Entry.create!(name: "outer")
      assert_equal(1, in_reactor { Entry.count })
      assert_equal(1, in_reactor { Entry.transaction(requires_new: true) { Entry.count } })
    end
  end

  def test_tasks_that_are_waited_for_inside_a_transaction_are_part_of_it
    Entry.transaction do
      Entry.create!(name: "outer")
      in_reactor do
        assert_equal [1] * 10, Array.new(10) { Evented { Entry.count } }.map(&:value)
        Evented { Entry.transaction { Entry.create!(name: "inner") } }.wait
        assert_equal 2, Entry.count
      end
    end
  end

  def test_tasks_take_turns_with_transactions
    in_reactor do
      Array.new(20) do |n|
        Evented do
          Entry.transaction(requires_new: true) do
            Entry.create!(name: "task", number: n)
            sleep 0.0005
            Entry.create!(name: "task", number: n)
            raise ActiveRecord::Rollback if n.odd?
          end
        end
      end.each(&:wait)
    end

    assert_equal [2], Entry.group(:number).count.values.uniq
    assert_equal 20, Entry.count
  end

  def test_a_thread_waits_for_the_transaction_of_another_one
    inside = Thread::Queue.new
    gate = Thread::Queue.new
    thread = Thread.new do
      Entry.transaction(requires_new: true) do
        Entry.create!(name: "thread")
        inside << true
        gate.pop
        raise ActiveRecord::Rollback
      end
    end
    inside.pop
    in_reactor do
      counting = Evented { Entry.count }
      gate << true
      assert_equal 0, counting.value
    end
    thread.join
  end

  def test_who_waits_for_its_turn_can_be_cancelled
    in_reactor do
      gate = Evented::Promise.new
      inside = Evented::Promise.new
      holder = Evented { Entry.transaction { inside.resolve && gate.value } }
      inside.value
      waiting = Evented { Entry.count }
      waiting.cancel
      assert_raises(Evented::Cancel) { waiting.value }
      gate.resolve
      holder.wait

      assert_equal 0, Entry.count
    end
  end

  def test_a_cancelled_transaction_is_rolled_back_to_its_beginning
    in_reactor do
      Entry.create!(name: "before")
      inside = Evented::Promise.new
      task = Evented do
        Entry.transaction(requires_new: true) do
          Entry.create!(name: "inside")
          inside.resolve
          sleep
        end
      end
      inside.value
      task.cancel
      assert_raises(Evented::Cancel) { task.value }

      assert_equal ["before"], Entry.pluck(:name)
    end
  end
end
