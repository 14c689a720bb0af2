# frozen_string_literal: true

require "helper"
require "support/ruby_process"
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

  # Now and then it would be the very fiber below the handler that has it: better never than seldom.
  def test_a_signal_handler_is_refused_and_changes_nothing
    assert_equal "[ThreadError, ThreadError, ThreadError]\n[false, 0]\n", output_of_ruby(<<~RUBY)
      promise = Evented::Promise.new
      queue = Evented::PriorityQueue.new
      calls = [-> { Evented::Condition.new.signal }, -> { promise.resolve }, -> { queue << 1 }]
      refused = Thread::Queue.new
      trap(:USR1) { calls.each { |call| call.call rescue refused << $!.class } && refused.close }
      Process.kill(:USR1, $$)
      p Array.new(3) { refused.pop }
      p [promise.settled?, queue.size]
    RUBY
  end
end
