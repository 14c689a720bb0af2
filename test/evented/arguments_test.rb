# frozen_string_literal: true

require "helper"

class ArgumentsTest < Minitest::Test
  # It is private: nobody else asks it.
  ARGUMENTS = Evented.class_eval { const_get(:Arguments) }
  NO_NUMBERS = ["soon", :soon, 1i, true, Object].freeze

  def test_what_makes_sense_is_returned
    [0, 1.5, 2r, Float::INFINITY].each do |number|
      assert_same number, ARGUMENTS.timeout(number)
      assert_same number, ARGUMENTS.seconds(number, "a pause")
      assert_same number, ARGUMENTS.number(number, "a factor")
    end
    assert_nil ARGUMENTS.timeout(nil)
    assert_equal [1, 0], [ARGUMENTS.integer(1, "a limit"), ARGUMENTS.integer(0, "a limit", least: 0)]
  end

  def test_what_is_no_number_is_refused
    [*NO_NUMBERS, nil].each do |object|
      assert_match(/\Aa pause has to be a number of seconds, not /, refused(TypeError) { seconds(object) })
    end
    NO_NUMBERS.each { |object| assert_match(/or nil for/, refused(TypeError) { ARGUMENTS.timeout(object) }) }
    [*NO_NUMBERS, nil, 1.0].each do |object|
      assert_match(/\Aa limit has to be an Integer, not /, refused(TypeError) { ARGUMENTS.integer(object, "a limit") })
    end
  end

  def test_what_is_too_small_is_refused
    [-1, -0.5, -1r, Float::NAN].each do |number|
      assert_match(/\Aa pause has to be at least 0, not /, refused(ArgumentError) { seconds(number) })
      assert_match(/\Aa timeout has to be at least 0/, refused(ArgumentError) { ARGUMENTS.timeout(number) })
    end
    assert_equal "a limit has to be at least 1, not 0", refused(ArgumentError) { ARGUMENTS.integer(0, "a limit") }
  end

  private

  def seconds(object) = ARGUMENTS.seconds(object, "a pause")

  def refused(error, &) = assert_raises(error, &).message
end
