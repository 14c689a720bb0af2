# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"

class EMSpawnedProcessTest < Minitest::Test
  include EMRunning

  class Boom < StandardError; end

  def setup
    @log = []
  end

  def test_it_is_called_in_a_later_pass_for_each_notification
    log = @log
    passes do
      process = EM.spawn { |*values| log << values }
      assert_instance_of EM::SpawnedProcess, process
      process.notify(1, 2)
      process.notify
      @log << :notified
    end

    assert_equal [:notified, [1, 2], []], @log
  end

  def test_it_has_three_names_for_being_notified
    log = @log
    passes do
      process = EM.spawn { |value| log << value }
      process.notify(1)
      process.resume(2)
      process.run(3)
    end

    assert_equal [1, 2, 3], @log
  end

  def test_its_block_is_called_as_its_own
    passes { EM.spawn { |log| log << self.class }.notify(@log) }

    assert_equal [EM::SpawnedProcess], @log
  end

  def test_it_keeps_what_it_sets
    passes do
      process = EM.spawn { |log| log << (@count = (@count || 0) + 1) }
      2.times { process.notify(@log) }
    end

    assert_equal [1, 2], @log
  end

  def test_it_notifies_others
    passes(10) do
      log = @log
      answer = EM.spawn { |asker, n| (log << [:answer, n]) && asker.notify(self, n + 1) }
      ask = EM.spawn { |other, n| (log << [:ask, n]) && n < 3 && other.notify(self, n + 1) }
      ask.notify(answer, 0)
    end

    assert_equal [[:ask, 0], [:answer, 1], [:ask, 2], [:answer, 3], [:ask, 4]], @log
  end

  def test_with_a_yield_the_next_notification_calls_another_block
    passes(10) do
      log = @log
      process = EM.spawn do |value|
        log << [:first, value]
        EM.yield do |next_value|
          log << [:second, next_value]
          EM.yield { |last| log << [:third, last] }
        end
      end
      4.times { |n| process.notify(n) }
    end

    assert_equal [[:first, 0], [:second, 1], [:third, 2], [:third, 3]], @log
  end

  def test_with_a_yield_and_notify_it_goes_on_by_itself
    passes(10) do
      log = @log
      EM.spawn do |value|
        log << [:first, value]
        EM.yield_and_notify { |*values| log << [:second, values] }
      end.notify(1)
    end

    assert_equal [[:first, 1], [:second, []]], @log
  end

  def test_long_work_is_cut_into_pieces
    done = []
    em do
      piece = lambda do |n|
        done << n
        n < 1000 ? EM.yield_and_notify { piece.call(n + 1) } : EM.stop
      end
      EM.spawn { piece.call(0) }.notify
    end

    assert_equal 1001, done.size
  end

  def test_its_block_can_be_exchanged
    passes do
      process = EM.spawn { |log| log << :old }
      process.set_receiver(proc { |log| log << :new })
      process.notify(@log)
    end

    assert_equal [:new], @log
  end

  def test_what_is_yielded_holds_its_block
    block = -> {}

    assert_instance_of EM::YieldBlockFromSpawnedProcess, EM.yield(&block)
    assert_equal [[block, false], [block, true]],
                 [EM.yield(&block), EM.yield_and_notify(&block)].map(&:pull_out_yield_block)
  end

  def test_what_it_raises_is_a_callbacks_error
    EM.error_handler { |error| @log << error.message }
    passes { EM.spawn { raise Boom, "it failed" }.notify }

    assert_equal ["it failed"], @log
  end

  def test_another_thread_may_notify_it
    em do
      process = EM.spawn do |log|
        log << EM.reactor_thread?
        EM.stop
      end
      Thread.new { process.notify(@log) }
    end

    assert_equal [true], @log
  end

  def test_a_block_is_needed
    assert_raises(ArgumentError, TypeError) { EM.spawn }
  end
end
