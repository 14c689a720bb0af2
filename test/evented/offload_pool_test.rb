# frozen_string_literal: true

require "helper"
require "support/ruby_process"

class OffloadPoolTest < Minitest::Test
  # It is private: nobody else makes one.
  POOL = Evented.class_eval { const_get(:OffloadPool) }

  def test_work_is_done_on_a_thread_with_a_name
    done = Queue.new
    POOL.new.submit(-> { done << Thread.current.name }) { |error| done << error }

    assert_equal ["evented-offload", nil], [done.pop, done.pop]
  end

  def test_what_the_work_raises_is_passed_on_and_the_thread_goes_on
    pool = POOL.new(limit: 1)
    done = Queue.new
    pool.submit(-> { raise "it failed" }) { |error| done << error }
    pool.submit(-> { :fine }) { |error| done << error }

    assert_equal ["it failed", nil], [done.pop.message, done.pop]
  end

  def test_there_are_no_more_threads_than_the_limit
    pool = POOL.new(limit: 2)
    done = Queue.new
    10.times { pool.submit(-> { sleep 0.001 }) { done << Thread.current } }

    assert_operator Array.new(10) { done.pop }.uniq.size, :<=, 2
  end

  def test_threads_are_used_again
    pool = POOL.new(limit: 5)
    done = Queue.new
    threads = Array.new(3) do
      pool.submit(-> { :work }) { done << Thread.current }
      done.pop.tap { |thread| wait_until { thread.status == "sleep" } }
    end

    assert_equal 1, threads.uniq.size
  end

  def test_a_forked_child_has_a_pool_of_its_own
    output = output_of_ruby(<<~RUBY)
      pool = Evented.instance_eval { const_get(:OffloadPool) }
      before = pool.current.tap { |current| q = Queue.new; current.submit(-> {}) { q << 1 }; q.pop }
      p pool.current.equal?(before)
      Process.wait(fork do
        q = Queue.new
        pool.current.submit(-> { q << pool.current.equal?(before) }) { q << :done }
        p q.pop, q.pop
      end)
    RUBY

    assert_equal "true\nfalse\n:done\n", output
  end
end
