# frozen_string_literal: true

require "helper"
require "support/ruby_process"
require "support/scheduled"

class PromiseTest < Minitest::Test
  class Boom < StandardError; end

  def setup
    @promise = Evented::Promise.new
  end

  def test_everybody_who_waits_gets_the_value_in_fibers_threads_and_two_reactors
    wait = -> { @promise.value(timeout: 60) }
    threads = [wait, -> { in_reactor { wait.call } }, -> { in_reactor { Evented { wait.call }.value } }]
              .map { |work| Thread.new(&work) }
    wait_until { @promise.inspect == "#<Evented::Promise waiting=3>" }
    assert_equal [false, false, false], [@promise.settled?, @promise.resolved?, @promise.rejected?]
    in_reactor { assert_same @promise, @promise.resolve(:value) }

    assert_equal [:value], threads.map(&:value).uniq
    assert_equal [:value, true, true, false],
                 [@promise.wait, @promise.settled?, @promise.resolved?, @promise.rejected?]
    assert_equal "#<Evented::Promise resolved>", @promise.inspect
  end

  def test_everybody_gets_its_error
    in_reactor do
      tasks = Array.new(2) { Evented { outcome { @promise.value } } }
      thread = Thread.new { outcome { @promise.value } }
      @promise.reject(error = Boom.new("it failed"))

      assert_equal [error], [*tasks.map(&:value), thread.value, outcome { @promise.value }].uniq
      assert_match(/promise_test\.rb:#{__LINE__ - 3}/, error.backtrace.first)
    end
    assert_equal [true, false], [@promise.rejected?, @promise.resolved?]
  end

  def test_an_error_can_be_a_message
    @promise.reject("it failed")

    assert_match(/promise_test/, assert_raises(RuntimeError, "it failed") { @promise.value }.backtrace.first)
  end

  def test_the_value_may_be_nothing
    @promise.resolve

    assert_nil @promise.value
  end

  def test_it_is_settled_once_only
    @promise.resolve(1)
    assert_match(/resolved already/, assert_raises(Evented::Error) { @promise.resolve(2) }.message)
    assert_raises(Evented::Error) { @promise.reject("too late") }

    assert_equal [false, false, 1], [@promise.try_resolve(2), @promise.try_reject("too late"), @promise.value]
    assert Evented::Promise.new.try_resolve
    assert Evented::Promise.new.try_reject("in time")
  end

  def test_of_many_who_try_one_does_it
    results = Array.new(4) { |n| Thread.new { @promise.try_resolve(n) && n } }.map(&:value)

    assert_equal([@promise.value], results.select { |result| result })
  end

  def test_the_time_to_wait_can_be_limited
    assert_raises(Evented::TimeoutError) { @promise.value(timeout: 0.001) }
    in_reactor { assert_raises(Evented::TimeoutError) { @promise.value(timeout: 0) } }
    Evented::Testing.virtual_time do
      assert_raises(Evented::TimeoutError) { @promise.value(timeout: 3600) }
      Evented { sleep(60) && @promise.resolve(:in_time) }
      assert_equal :in_time, @promise.value(timeout: 3600)
    end
  end

  def test_one_that_is_cancelled_does_not_wait_any_more
    in_reactor do
      first, second, third = Array.new(3) { Evented { @promise.value } }
      second.cancel
      assert_equal [:cancelled, "#<Evented::Promise waiting=2>"], [second.ended, @promise.inspect]
      @promise.resolve(:value)
      first.cancel
      first.ended

      assert_equal :value, third.value
    end
  end

  def test_callbacks_are_called_in_order_by_who_settles_it
    order = []
    threads = []
    3.times { |n| @promise.callback { |value| (order << [n, value]) && (threads << Thread.current) } }
    @promise.errback { flunk }
    @promise.callback(order.method(:push))
    settler = Thread.new { @promise.resolve(:value) }.join

    assert_equal [[0, :value], [1, :value], [2, :value], :value], order
    assert_equal [settler], threads.uniq
  end

  def test_errbacks_are_called_with_the_error
    seen = []
    @promise.callback { flunk }
    @promise.errback { |error| seen << error }
    @promise.reject(error = Boom.new)

    assert_equal [error], seen
  end

  def test_they_are_called_at_once_if_it_is_settled
    seen = []
    @promise.resolve(:value)
    assert_same(@promise, @promise.callback { |value| seen << value })
    assert_same(@promise, @promise.errback { flunk })
    assert_equal [:value], seen

    rejected = Evented::Promise.new.reject("it failed")
    rejected.callback { flunk }.errback { |error| seen << error.message }
    assert_equal [:value, "it failed"], seen
  end

  def test_one_that_comes_while_others_are_called_keeps_the_order
    order = []
    @promise.callback { @promise.callback { order << :last } && (order << :first) }
    @promise.callback { order << :second }
    @promise.resolve

    assert_equal %i[first second last], order
  end

  def test_one_that_fails_keeps_nobody_from_being_called_and_the_settler_hears_of_it
    seen = []
    @promise.callback { raise Boom, "it failed" }
    @promise.callback { |value| seen << value }
    error = assert_raises(Boom) { @promise.resolve(:value) }

    assert_equal ["it failed", [:value], :value], [error.message, seen, @promise.value]
  end

  def test_one_that_is_left_by_throw_or_with_its_thread_keeps_nobody_from_being_called
    [-> { throw :away }, -> { Thread.current.kill }].each do |leave|
      promise = Evented::Promise.new
      called = []
      promise.callback { leave.call }.callback { called << :next }
      Thread.new { catch(:away) { promise.resolve } }.join
      promise.callback { called << :later }

      assert_equal %i[next later], called
    end
  end

  def test_several_that_fail
    2.times { |n| @promise.errback { raise Boom, "number #{n}" } }
    error = assert_raises(Evented::MultipleErrors) { @promise.reject("it failed") }
    assert_equal ["number 0", "number 1"], error.errors.map(&:message)

    promise = Evented::Promise.new.callback { raise Boom }.callback { raise Evented::Cancel, "stop" }
    assert_equal "cancelled: stop", assert_raises(Evented::Cancel) { promise.resolve }.message
  end

  def test_bad_input_is_refused
    [nil, 1, :failed, Boom].each do |error|
      assert_match(/exception or a message/, assert_raises(TypeError) { @promise.reject(error) }.message)
      assert_raises(TypeError) { @promise.try_reject(error) }
    end
    assert_match(/responds to call/, assert_raises(ArgumentError) { @promise.callback }.message)
    assert_raises(ArgumentError) { @promise.callback(:nothing_to_call) }
    assert_raises(ArgumentError) { @promise.errback(1) }
    assert_raises(TypeError) { @promise.value(timeout: "soon") }
    assert_raises(ArgumentError) { @promise.value(timeout: -1) }
    assert_raises(ArgumentError) { @promise.value(color: 1) }

    refute_predicate @promise, :settled?
  end

  def test_a_reactor_that_waits_for_it_in_vain_hears_of_it
    _, errors, = ruby("Evented.run { Evented::Promise.new.value }")

    assert_match(/Deadlock.*Evented::Promise/m, errors)
  end

  def test_in_the_thick_of_it_everybody_hears
    promises = Array.new(100) { Evented::Promise.new }
    heard = Queue.new
    threads = Array.new(2) { Thread.new { promises.each { |promise| heard << promise.value } } }
    threads << Thread.new { in_reactor { promises.each { |promise| Evented { heard << promise.value } } } }
    threads << Thread.new { promises.each { |promise| promise.callback { |value| heard << value } } }
    threads += Array.new(2) { Thread.new { promises.each.with_index { |promise, n| promise.try_resolve(n) } } }
    threads.each(&:join)

    assert_equal((0...100).flat_map { |n| [n] * 4 }, Array.new(400) { heard.pop }.sort)
  end
end
