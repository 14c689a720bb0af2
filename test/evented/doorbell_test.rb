# frozen_string_literal: true

require "helper"

class DoorbellTest < Minitest::Test
  # It is private: others are built on it.
  DOORBELL = Evented.class_eval { const_get(:Doorbell) }

  def setup
    @bell = DOORBELL.new("the guests")
  end

  def test_who_waits_goes_on_when_it_is_rung_and_the_guests_have_come
    in_reactor do
      come = false
      asked = 0
      host = Evented { @bell.wait_until { (asked += 1) && come } }
      @bell.ring
      sleep 0
      assert_equal [2, true], [asked, host.alive?]
      assert_match(/waiting block "the guests"/, Evented.dump)
      come = true
      @bell.ring
      host.wait

      assert_equal 3, asked
    end
  end

  def test_it_does_not_wait_for_what_has_come_already
    in_reactor { Evented { @bell.wait_until { true } }.then { |host| refute_predicate host, :alive? } }
  end

  def test_with_nobody_at_home_ringing_does_nothing
    @bell.ring
    in_reactor do
      host = Evented { @bell.wait_until { false } }
      host.cancel
      host.ended
      @bell.ring
      began = Evented.clock
      Evented.sleep(0.001)
      assert_operator Evented.clock, :>=, began + 0.001
    end
  end
end
