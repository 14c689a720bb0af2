# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"

class EMIteratorTest < Minitest::Test
  include EMRunning

  class Boom < StandardError; end

  def setup
    @log = []
  end

  def test_every_item_is_handed_out_in_order_and_then_it_is_told
    em do
      EM::Iterator.new(1..5).each(->(item, iter) { (@log << item) && iter.next }, lambda {
        @log << :after
        EM.stop
      })
      @log << :begun
    end

    assert_equal [:begun, 1, 2, 3, 4, 5, :after], @log
  end

  def test_a_block_is_called_too_and_it_returns_itself
    em do
      iterator = EM::Iterator.new([1])
      assert_same(iterator, iterator.each(nil, -> { EM.stop }) { |item, iter| (@log << item) && iter.next })
    end

    assert_equal [1], @log
  end

  def test_without_items_it_ends_soon
    em { EM::Iterator.new([]).each(-> { flunk }, -> { (@log << :each) && EM.stop }) }
    em { EM::Iterator.new([]).map(-> { flunk }, ->(results) { (@log << results) && EM.stop }) }
    em { EM::Iterator.new([]).inject(7, -> { flunk }, ->(result) { (@log << result) && EM.stop }) }

    assert_equal [:each, [], 7], @log
  end

  def test_nobody_has_to_be_told
    passes(20) { EM::Iterator.new([1, 2]).each { |item, iter| (@log << item) && iter.next } }

    assert_equal [1, 2], @log
  end

  def test_no_more_are_worked_on_at_a_time_than_may_be
    at_work = most = 0
    em do
      EM::Iterator.new(1..20, 4).each(lambda { |_, iter|
        most = [most, at_work += 1].max
        EM.add_timer(0.001) { (at_work -= 1) && iter.next }
      }, -> { EM.stop })
    end

    assert_equal [4, 0], [most, at_work]
  end

  def test_a_higher_number_works_on_more_and_a_lower_on_less
    at_work = 0
    most = Hash.new(0)
    em do
      iterator = EM::Iterator.new(1..60, 2)
      assert_equal 2, iterator.concurrency
      iterator.each(lambda { |item, iter|
        at_work += 1
        iterator.concurrency = 5 if item == 20
        iterator.concurrency = 1 if item == 40
        most[item / 20] = [most[item / 20], at_work].max if item % 20 > 10
        EM.add_timer(0.001) { (at_work -= 1) && iter.next }
      }, -> { EM.stop })
    end

    assert_equal({ 0 => 2, 1 => 5, 2 => 1 }, most)
  end

  def test_map_keeps_the_order
    em do
      EM::Iterator.new(0..9, 3).map(lambda { |item, iter|
        EM.add_timer(item.even? ? 0.005 : 0.001) { iter.return(item * 2) }
      }, ->(results) { (@log << results) && EM.stop })
    end

    assert_equal [(0..9).map { |item| item * 2 }], @log
  end

  def test_inject_carries_the_value_along
    em do
      EM::Iterator.new(%w[a bb ccc]).inject({}, lambda { |hash, item, iter|
        EM.next_tick { iter.return(hash.merge(item => item.size)) }
      }, ->(hash) { (@log << hash) && EM.stop })
    end

    assert_equal [{ "a" => 1, "bb" => 2, "ccc" => 3 }], @log
  end

  def test_a_callable_gives_the_items_until_it_gives_the_stop
    items = [1, 2, nil, 3, EM::Iterator::Stop, 4]
    em do
      EM::Iterator.new(-> { items.shift }, 2).each(->(item, iter) { (@log << item) && iter.next }, -> { EM.stop })
    end

    assert_equal [1, 2, nil, 3], @log
    assert_equal "EM::Stop", EM::Iterator::Stop
  end

  def test_an_item_is_done_once
    em do
      EM::Iterator.new([1]).each do |item, iter|
        assert_equal 1, item
        iter.next
        error = assert_raises(RuntimeError) { iter.next }
        assert_equal "already completed this iteration", error.message
        EM.stop
      end
    end
  end

  def test_a_result_is_given_once
    twice = lambda do |*, iter|
      iter.return(1)
      error = assert_raises(RuntimeError) { iter.return(2) }
      assert_equal "already returned a value for this iteration", error.message
    end
    em { EM::Iterator.new([1]).map(twice, ->(results) { (@log << results) && EM.next_tick { EM.stop } }) }
    em { EM::Iterator.new([1]).inject(0, twice, ->(result) { (@log << result) && EM.next_tick { EM.stop } }) }

    assert_equal [[1], 1], @log
  end

  def test_where_results_are_wanted_next_is_refused
    em do
      EM::Iterator.new([1]).map(->(_, iter) { (@log << refused(iter)) && EM.stop }, -> {})
    end
    em do
      EM::Iterator.new([1]).inject(0, ->(*, iter) { (@log << refused(iter)) && EM.stop }, -> {})
    end

    assert_equal ["must call #return on a map iterator", "must call #return on an inject iterator"], @log
  end

  def test_what_each_hands_out_takes_no_result
    em do
      EM::Iterator.new([1]).each do |item, iter|
        assert_equal 1, item
        assert_raises(NoMethodError) { iter.return(1) }
        EM.stop
      end
    end
  end

  def test_what_makes_no_sense_is_refused
    [0, -1].each do |number|
      error = assert_raises(ArgumentError) { EM::Iterator.new([], number) }
      assert_equal "concurrency must be bigger than zero", error.message
    end
    assert_equal "argument must be a proc or an array", assert_raises(ArgumentError) { EM::Iterator.new(5) }.message
    error = assert_raises(ArgumentError) { EM::Iterator.new([]).each }
    assert_equal "proc or block required for iteration", error.message
  end

  def test_it_goes_through_once
    iterator = EM::Iterator.new([1])
    iterator.each { nil }
    error = assert_raises(RuntimeError) { iterator.each { nil } }

    assert_equal "cannot iterate over an iterator more than once", error.message
  end

  def test_the_list_may_change_meanwhile
    list = [1, 2]
    em do
      EM::Iterator.new(list).each(->(item, iter) { (@log << item) && (list << 3) && iter.next }, -> { EM.stop })
    end

    assert_equal [1, 2], @log
  end

  def test_items_of_a_hash_are_pairs
    em { EM::Iterator.new({ a: 1 }).each(->(item, iter) { (@log << item) && iter.next }, -> { EM.stop }) }

    assert_equal [[:a, 1]], @log
  end

  def test_an_item_whose_work_raises_is_never_done
    EM.error_handler { |error| @log << error.message }
    em do
      EM::Iterator.new([1, 2], 2).each(->(item, iter) { item == 1 ? raise(Boom, "1") : iter.next }, lambda {
        @log << :after
      })
      EM.add_timer(0.02) { EM.stop }
    end

    assert_equal ["1"], @log
  end

  def test_a_hundred_thousand_items_that_are_done_at_once
    sum = 0
    em do
      EM::Iterator.new(1..100_000, 10).each(->(item, iter) { (sum += item) && iter.next }, -> { EM.stop })
    end

    assert_equal 5_000_050_000, sum
  end

  private

  def refused(iter) = assert_raises(NoMethodError) { iter.next }.message
end
