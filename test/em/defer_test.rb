# frozen_string_literal: true

require "support/event_machine"

# Work for other threads.
class EMDeferTest < Minitest::Test
  class Boom < StandardError; end

  def setup
    @log = []
  end

  def test_the_operation_runs_on_another_thread_and_its_callback_on_that_of_the_reactor
    em do
      EM.defer(-> { Thread.current }, lambda { |thread|
        @log << thread << Thread.current
        EM.stop
      })
    end

    refute_includes [nil, Thread.current], @log.first
    assert_equal Thread.current, @log.last
  end

  def test_the_operation_may_be_a_block
    em { EM.defer { EM.next_tick { EM.stop } if @log << Thread.current } }

    refute_equal Thread.current, @log.first
  end

  def test_the_block_is_the_operation_if_none_is_given_and_callbacks_may_be
    em { EM.defer(nil, ->(result) { EM.stop if @log << result }) { :result } }

    assert_equal [:result], @log
  end

  def test_the_reactor_goes_on_meanwhile
    ticks = 0
    em do
      EM.add_periodic_timer(0.005) { ticks += 1 }
      EM.defer(-> { sleep 0.1 }, ->(_) { EM.stop })
    end

    assert_operator ticks, :>, 3
  end

  def test_operations_run_at_the_same_time
    took = seconds do
      em do
        5.times { |number| EM.defer(-> { sleep 0.1 and number }, ->(result) { EM.stop if (@log << result).size == 5 }) }
      end
    end

    assert_equal [0, 1, 2, 3, 4], @log.sort
    assert_operator took, :<, 0.4
  end

  def test_an_error_goes_to_the_errback
    em do
      EM.defer(-> { raise Boom, "on purpose" }, ->(_) { @log << :never },
               ->(error) { EM.stop if @log << error.message << Thread.current })
    end

    assert_equal ["on purpose", Thread.current], @log
  end

  def test_without_an_errback_an_error_ends_the_thread_of_the_reactor
    assert_match(/\Aon purpose/, output_of_em(<<~RUBY))
      $stderr = File.open(File::NULL, "w")
      begin
        EM.run do
          EM.defer { raise "on purpose" }
          EM.add_timer(5) { EM.stop }
        end
      rescue RuntimeError => e
        puts e.message
      end
    RUBY
  end

  def test_whether_all_are_over
    em do
      gate = Thread::Queue.new
      EM.defer(-> { gate.pop }, ->(_) { @log << :called })
      EM.next_tick do
        @log << EM.defers_finished?
        gate << :go
      end
      stop_once { EM.defers_finished? && @log.include?(:called) }
    end

    assert_equal [false, :called], @log
  end

  def test_results_come_before_ticks
    em do
      done = Thread::Queue.new
      EM.defer(-> {}, ->(_) { @log << :result })
      # The thread has put its result there when the next operation has begun.
      EM.next_tick do
        EM.defer { done << true }
        done.pop
        busy_until = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 0.05
        nil until Process.clock_gettime(Process::CLOCK_MONOTONIC) > busy_until
        EM.next_tick { EM.stop if @log << :tick }
      end
    end

    assert_equal %i[result tick], @log
  end

  def test_results_come_in_the_order_they_are_there
    em do
      [0.06, 0.02, 0.04].each do |pause|
        EM.defer(-> { sleep pause and pause }, ->(result) { EM.stop if (@log << result).size == 3 })
      end
    end

    assert_equal [0.02, 0.04, 0.06], @log
  end

  def test_there_are_twenty_threads_unless_told_otherwise_before_the_first_use
    assert_equal "20\n20\n", output_of_em(<<~RUBY)
      puts EM.threadpool_size
      EM.run { EM.defer { }; puts EM.threadpool.size; EM.stop }
    RUBY
    assert_equal "5\n", output_of_em(<<~RUBY)
      EM.threadpool_size = 5
      EM.run { EM.defer { }; puts EM.threadpool.size; EM.stop }
    RUBY
  end

  def test_what_was_deferred_before_the_reactor_runs_is_called_back_in_it
    EM.defer(-> { :early }, ->(result) { EM.stop if @log << result })
    em { nil }

    assert_equal [:early], @log
  end

  def test_the_threads_end_with_the_reactor
    em do
      EM.defer { nil }
      @log.concat(EM.threadpool)
      EM.next_tick { EM.stop }
    end
    wait_until { @log.none?(&:alive?) }

    assert_nil EM.threadpool
  end
end
