# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"

class EMCallbackTest < Minitest::Test
  def test_what_can_be_called_is_taken_as_it_is
    callable = -> { 1 }
    assert_same callable, EM.Callback(callable)
    object = Class.new { def call(value) = value + 1 }.new

    assert_equal 3, EM.Callback(object).call(2)
  end

  def test_a_block_is_called
    assert_equal 5, EM.Callback { |value| value + 1 }.call(4)
  end

  def test_a_method_of_an_object_is_called
    assert_equal([3, 2], EM.Callback([1, 2], :rotate).call(1).then { |list| [list.size + 1, list.first] })
    assert_equal "2", EM.Callback(2, "to_s").call
  end

  def test_a_method_that_the_object_gets_later_is_found
    object = Object.new
    callback = EM.Callback(object, :later)
    def object.later = :found

    assert_equal :found, callback.call
  end

  def test_nothing_to_call_is_refused
    assert_raises(ArgumentError) { EM.Callback }
    assert_raises(ArgumentError) { EM.Callback(1) }
    assert_raises(ArgumentError) { EM.Callback(nil) }
  end
end
