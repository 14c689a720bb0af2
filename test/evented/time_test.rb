# frozen_string_literal: true

require "helper"
require "support/scheduled"

class TimeTest < Minitest::Test
  def test_a_block_that_is_quick_enough_gives_its_value
    in_reactor { assert_equal(:value, Evented.timeout(60) { sleep(0) && :value }) }
  end

  def test_a_block_that_takes_too_long_is_ended
    cleaned = false
    in_reactor do
      error = assert_raises(Evented::TimeoutError) do
        Evented.timeout(0.001) do
          Queue.new.pop
        ensure
          cleaned = true
        end
      end
      assert_kind_of Timeout::Error, error
    end

    assert cleaned
  end

  def test_no_rescue_clause_of_the_block_is_in_the_way
    in_reactor do
      assert_raises(Evented::TimeoutError) do
        Evented.timeout(0.001) do
          Queue.new.pop
        rescue StandardError
          flunk "the block has heard of it"
        end
      end
    end
  end

  def test_each_of_nested_timeouts_ends_its_own_block
    in_reactor do
      order = []
      assert_raises(Evented::TimeoutError) do
        Evented.timeout(0.01) do
          assert_raises(Evented::TimeoutError) { Evented.timeout(0.001) { sleep } }
          order << :inner
          Evented.timeout(60) { sleep }
        ensure
          order << :outer
        end
      end

      assert_equal %i[inner outer], order
    end
  end

  def test_the_error_can_be_chosen
    in_reactor do
      error = assert_raises(ArgumentError) { Evented.timeout(0.001, error: ArgumentError, message: "slow") { sleep } }

      assert_equal "slow", error.message
    end
  end

  def test_rescuing_errors_of_evented_finds_it
    in_reactor do
      caught = begin
        Evented.timeout(0.001) { sleep }
      rescue Evented::Error => e
        e
      end

      assert_instance_of Evented::TimeoutError, caught
      refute_operator Evented::ClosedError, :===, caught
    end
  end

  def test_the_backtrace_of_the_error_leads_to_the_wait_that_was_ended
    in_reactor do
      error = assert_raises(Evented::TimeoutError) { Evented.timeout(0.001) { wait_for_ever } }

      assert(error.backtrace.any? { |line| line.include?("wait_for_ever") })
      assert_nil error.cause
    end
  end

  def test_a_local_jump_error_of_the_block_stays_one
    in_reactor { assert_raises(LocalJumpError) { Evented.timeout(60) { yielding_without_block } } }
  end

  def test_a_block_can_be_left_in_every_way
    in_reactor do
      assert_equal(:broken, Evented.timeout(60) { break :broken })
      assert_equal(:thrown, catch(:out) { Evented.timeout(60) { throw :out, :thrown } })
      assert_equal :returned, returning_from_a_timeout
      assert_nil Evented.deadline
    end
  end

  def test_the_deadline_is_when_the_time_is_up
    Evented::Testing.virtual_time do
      assert_nil Evented.deadline
      Evented.timeout(60) do
        sleep 20
        assert_in_delta 40, Evented.deadline - Evented.clock, 1e-6
      end

      assert_nil Evented.deadline
    end
  end

  def test_of_nested_timeouts_the_earliest_deadline_counts
    Evented::Testing.virtual_time do
      now = Evented.clock
      Evented.timeout(60) do
        Evented.timeout(90) { assert_in_delta now + 60, Evented.deadline, 1e-6 }
        Evented.timeout(30r) { assert_in_delta now + 30, Evented.deadline, 1e-6 }
        Evented.timeout(nil) { assert_in_delta now + 60, Evented.deadline, 1e-6 }
        assert_in_delta now + 60, Evented.deadline, 1e-6
      end
    end
  end

  def test_a_deadline_that_has_passed_is_forgotten
    in_reactor do
      assert_raises(Evented::TimeoutError) { Evented.timeout(0.001) { sleep } }
      assert_nil Evented.deadline
      assert_raises(ArgumentError) { Evented.timeout(-1) { flunk } }
      assert_nil Evented.deadline
    end
  end

  def test_a_task_has_no_deadline_of_its_parent_who_alone_is_ended_by_it
    in_reactor do
      Evented.timeout(60) do
        assert_nil(Evented { Evented.deadline }.value)
        assert_kind_of(Float, Evented { Evented.timeout(30) { Evented.deadline } }.value)
      end
    end
  end

  def test_outside_of_a_reactor_there_are_deadlines_too
    assert_nil Evented.deadline
    Evented.timeout(60) { assert_in_delta 60, Evented.deadline - Evented.clock, 1 }
    assert_nil Evented.deadline
  end

  def test_no_time_is_no_limit
    assert_equal(:value, in_reactor { Evented.timeout(nil) { sleep(0) && :value } })
  end

  def test_outside_of_a_reactor_it_works_too
    assert_raises(Evented::TimeoutError) { Evented.timeout(0.001) { sleep } }
  end

  def test_a_stop_iteration_in_a_turn_is_a_failure
    in_reactor do
      ticker = Evented.every(0.001) { raise StopIteration }
      assert_raises(StopIteration) { ticker.wait }
    end
  end

  def test_every_so_often
    turns = []
    Evented::Testing.virtual_time do
      ticker = Evented.every(60) { turns << Evented.clock }
      sleep 601
      ticker.cancel
    end

    assert_equal 10, turns.size
    turns.each_cons(2) { |one, other| assert_in_delta 60, other - one, 1e-6 }
  end

  def test_a_turn_that_takes_too_long_leaves_others_out
    turns = []
    Evented::Testing.virtual_time do
      began = Evented.clock
      ticker = Evented.every(10) { (turns << (Evented.clock - began).round) && sleep(25) }
      sleep 75
      ticker.cancel
    end

    assert_equal [10, 40, 70], turns
  end

  def test_a_transient_ticker_keeps_nobody
    in_reactor { Evented.every(3600, transient: true) { flunk } }
  end

  def test_bad_input_is_refused
    in_reactor { refuse_bad_input }
    refuse_bad_input
    in_reactor do
      assert_raises(ArgumentError) { Evented.every(0) { flunk } }
      assert_raises(ArgumentError) { Evented.every(-1) { flunk } }
      assert_raises(ArgumentError) { Evented.every(1) }
      ["1", nil].each { |seconds| assert_raises(TypeError) { Evented.every(seconds) { flunk } } }
      assert_equal(:go_on, Evented.timeout(60) { :go_on })
    end
  end

  def test_the_clock_never_goes_back
    before = in_reactor { Evented.clock }
    in_reactor do
      one = Evented.clock
      Evented.sleep(0.001)

      assert_operator Evented.clock, :>=, one + 0.001
    end

    assert_kind_of Float, before
    assert_operator Evented.clock, :<=, Evented.clock
  end

  private

  def wait_for_ever = sleep

  def yielding_without_block = yield

  def returning_from_a_timeout
    Evented.timeout(60) { return :returned }
  end

  def refuse_bad_input
    [-1, -0.5, Float::NAN].each do |seconds|
      assert_raises(ArgumentError) { Evented.timeout(seconds) { flunk } }
      assert_raises(ArgumentError) { Evented.sleep(seconds) }
    end
    ["soon", :soon, 1i, Object.new].each do |seconds|
      assert_raises(TypeError) { Evented.timeout(seconds) { flunk } }
      assert_match(/number of seconds/, assert_raises(TypeError) { Evented.sleep(seconds) }.message)
    end
    ["slow", 3, Class].each { |error| assert_raises(TypeError) { Evented.timeout(60, error: error) { flunk } } }
    [1, nil].each do |seconds|
      assert_match(/needs a block/, assert_raises(ArgumentError) { Evented.timeout(seconds) }.message)
    end
    assert_raises(ArgumentError) { Evented.timeout(1, color: 1) { flunk } }
  end
end
