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

  def test_no_time_is_no_limit
    assert_equal(:value, in_reactor { Evented.timeout(nil) { sleep(0) && :value } })
  end

  def test_outside_of_a_reactor_it_works_too
    assert_raises(Evented::TimeoutError) { Evented.timeout(0.001) { sleep } }
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
    in_reactor do
      assert_raises(ArgumentError) { Evented.timeout(-1) { flunk } }
      assert_raises(TypeError) { Evented.timeout("soon") { flunk } }
      assert_raises(ArgumentError) { Evented.timeout(1) }
      assert_raises(ArgumentError) { Evented.every(0) { flunk } }
      assert_raises(ArgumentError) { Evented.every(1) }
      assert_raises(ArgumentError) { Evented.sleep(-1) }
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
end
