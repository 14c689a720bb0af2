# frozen_string_literal: true

require "helper"

class TestingTimeLimitTest < Minitest::Test
  # It is private: nobody else asks it.
  LIMIT = Evented::Testing.class_eval { const_get(:TimeLimit) }

  # Written down whenever it is told.
  Example = Struct.new(:told, :answer) do
    def time_is_up
      told << self
      answer.call(self)
    end
  end

  def setup
    @told = Queue.new
  end

  def test_it_is_told_again_after_as_long_as_it_says
    example = Example.new(@told, ->(_) { 0.001 })
    LIMIT.watch(example, 0.001) { 3.times { assert_same example, @told.pop(timeout: 20) } }
  end

  def test_what_was_given_more_time_meanwhile_keeps_it
    patient = Example.new(@told, ->(example) { LIMIT.extend_to(example, 3600) && 0 })
    other = Example.new(@told, ->(_) { 0.001 })
    LIMIT.watch(patient, 0.001) do
      assert_same patient, @told.pop(timeout: 20)
      LIMIT.watch(other, 0.001) { 5.times { assert_same other, @told.pop(timeout: 20) } }
    end
  end

  def test_without_a_limit_nobody_is_told
    assert_equal :value, LIMIT.watch(nil, nil) { :value }
  end
end
