# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"

class EMChannelTest < Minitest::Test
  include EMRunning

  class Boom < StandardError; end

  def setup
    @channel = EM::Channel.new
    @log = []
  end

  def test_all_who_have_subscribed_get_every_message
    passes do
      first = @channel.subscribe { |item| @log << [1, item] }
      second = @channel.subscribe { |item| @log << [2, item] }
      refute_equal first, second
      @channel.push(:a, :b)
      @channel << :c
    end

    assert_equal [[1, :a], [2, :a], [1, :b], [2, :b], [1, :c], [2, :c]], @log
    assert_equal 2, @channel.num_subscribers
  end

  def test_who_has_unsubscribed_gets_none
    passes do
      name = @channel.subscribe { |item| @log << item }
      @channel.push(1)
      EM.next_tick { EM.next_tick { @channel.unsubscribe(name) && @channel.push(2) } }
    end

    assert_equal [1], @log
    assert_equal 0, @channel.num_subscribers
  end

  def test_names_are_numbers_that_are_not_used_again
    passes do
      first = @channel.subscribe { nil }
      @channel.unsubscribe(first)
      assert_equal(first + 1, @channel.subscribe { nil })
    end
  end

  def test_pop_hands_over_one_message
    passes do
      @channel.pop { |item| @log << item }
      @channel.push(1, 2)
    end

    assert_equal [1], @log.take(1)
    assert_equal 0, @channel.num_subscribers
  end

  def test_a_pop_can_be_taken_back
    passes do
      @channel.unsubscribe(@channel.pop { |item| @log << item })
      @channel.push(1)
    end

    assert_empty @log
  end

  def test_a_method_can_be_subscribed
    passes do
      @channel.subscribe(@log, :push)
      @channel.push(1)
    end

    assert_equal [1], @log
  end

  def test_something_has_to_be_subscribed
    skip "EventMachine raises in a later pass" if ENV["EM_ORACLE"]
    assert_raises(ArgumentError) { @channel.subscribe }
    assert_raises(ArgumentError) { @channel.pop }
  end

  def test_other_threads_may_push_and_subscribe
    em do
      Thread.new do
        @channel.subscribe { |item| (@log << [item, EM.reactor_thread?]) && EM.stop }
        @channel.push(1)
      end
    end

    assert_equal [[1, true]], @log
  end

  def test_who_subscribes_in_a_callback_gets_what_comes_after
    passes do
      @channel.subscribe { |item| @channel.subscribe { |inner| @log << [item, inner] } if item == 1 }
      @channel.push(1)
      EM.next_tick { @channel.push(2) }
    end

    assert_equal [[1, 2]], @log
  end

  def test_who_unsubscribes_himself_while_he_is_called_disturbs_nobody
    passes do
      name = @channel.subscribe { |item| (@log << [1, item]) && @channel.unsubscribe(name) }
      @channel.subscribe { |item| @log << [2, item] }
      @channel.push(:a)
      EM.next_tick { @channel.push(:b) }
    end

    assert_equal [[1, :a], [2, :a], [2, :b]], @log
  end

  def test_who_is_unsubscribed_by_another_gets_no_further_message
    passes do
      names = []
      @channel.subscribe { |item| (@log << [1, item]) && @channel.unsubscribe(names.first) }
      names << @channel.subscribe { |item| @log << [2, item] }
      @channel.push(:a, :b)
    end

    assert_equal [[1, :a], [2, :a], [1, :b]], @log
  end

  def test_what_a_subscriber_raises_costs_the_others_only_this_push
    em do
      @channel.subscribe { |item| raise Boom if item == 1 }
      @channel.subscribe { |item| @log << item }
      assert_raises(Boom) { @channel.push(1) }
      @channel.push(2)
      EM.stop
    end

    assert_equal [2], @log
  end

  def test_a_message_may_be_an_array
    passes do
      @channel.subscribe { |item| @log << item }
      @channel.push([1, 2])
    end

    assert_equal [[1, 2]], @log
  end
end
