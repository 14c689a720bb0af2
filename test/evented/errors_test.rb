# frozen_string_literal: true

require "helper"

class Evented::ErrorsTest < Minitest::Test # rubocop:disable Style/ClassAndModuleChildren
  def test_all_but_cancel_can_be_rescued_together
    [Evented::ClosedError, Evented::WrongThreadError, Evented::PoisonedError, Evented::FiberLimitError].each do |error|
      assert_operator error, :<, Evented::Error
    end
    assert_operator Evented::Error, :<, StandardError
  end

  def test_a_plain_rescue_lets_a_cancel_pass
    refute_operator Evented::Cancel, :<, StandardError
    assert_operator Evented::Cancel, :<, Exception
  end
end
