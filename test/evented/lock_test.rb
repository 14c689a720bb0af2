# frozen_string_literal: true

require "helper"
require "support/scheduled"

class LockTest < Minitest::Test
  # It is private: nobody else makes one.
  LOCK = Evented.class_eval { const_get(:Lock) }

  def test_it_gives_the_value_of_its_block
    assert_equal(:value, LOCK.new.exclusively { :value })
  end

  def test_an_error_unlocks_it
    lock = LOCK.new
    assert_raises(RuntimeError) { lock.exclusively { raise "it failed" } }

    refute_predicate lock, :locked?
  end

  def test_no_other_thread_interrupts_its_block
    lock = LOCK.new
    inside = Queue.new
    raised = false
    ended = false
    thread = Thread.new do
      lock.exclusively do
        inside << true
        Thread.pass until raised
        ended = true
      end
    end
    thread.report_on_exception = false
    inside.pop
    thread.raise("too early")
    raised = true

    assert_equal "too early", assert_raises(RuntimeError) { thread.join }.message
    assert ended
  end

  def test_a_fiber_that_finds_it_locked_does_not_park
    lock = LOCK.new
    release = Queue.new
    holder = Thread.new { lock.synchronize { release.pop } }
    wait_until { lock.locked? }
    order = []
    in_reactor do
      Thread.new { sleep(0.005) && (release << true) }
      Evented { lock.exclusively { order << :locked } }
      order << :after
    end

    holder.join
    assert_equal %i[locked after], order
  end
end
