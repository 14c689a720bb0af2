# frozen_string_literal: true

require "helper"
require_relative "cancel"

# A few of the random cancellations that `rake fuzz:cancel` tries by the hundred thousand.
class CancelFuzzTest < Minitest::Test
  def test_random_cancellations_leave_everything_as_it_should_be
    seed = rand(1_000_000_000)
    report = Fuzz::Cancel.run(600, seed)

    assert_operator report.cancellations, :>=, 600
  rescue Fuzz::Cancel::Failure => e
    flunk "#{e.message}\nTo have it again: SEED=#{seed} rake 'fuzz:cancel[600]'"
  end

  # Ready, parked, completed just before and just after, at every place.
  Fuzz::Cancel::Weapons::KINDS.each do |weapon|
    name = weapon.name[/\w+\z/].gsub(/(?<=[a-z])[A-Z]/) { |letter| "_#{letter}" }.downcase
    define_method("test_#{name}_at_every_place_in_every_order") do
      report = Fuzz::Cancel.try_everywhere(weapon, rand(1_000_000_000))

      assert_equal [4], report.pairs.values.uniq
    end
  end

  Fuzz::Cancel::Ending::WAYS.each do |way|
    define_method("test_#{way}_at_every_place") do
      assert_equal Fuzz::Cancel::Places::KINDS.size, Fuzz::Cancel.end_everywhere(way, rand(1_000_000_000)).cancellations
    end
  end

  def test_the_same_seed_means_the_same_cancellations
    reports = Array.new(2) { Fuzz::Cancel.run(60, 1) }

    assert_equal(*reports.map(&:pairs))
  end

  def test_a_ledger_sees_what_is_lost_doubled_or_changed
    ledger = Fuzz::Cancel::Ledger.new
    ledger.was_sent(100)
    ledger.received(Fuzz::Cancel::Ledger.bytes(0, 30))
    rest = Fuzz::Cancel::Ledger.bytes(30, 70)

    assert_nil ledger.mistake(rest, 0)
    assert_match(/10 bytes are missing/, ledger.mistake(rest[10..], 0))
    assert_nil ledger.mistake(rest[10..], 10)
    assert_match(/10 bytes too many/, ledger.mistake("#{rest}#{rest[0, 10]}", 0))
    assert_match(/changed after byte 30/, ledger.mistake(rest.sub(/.\z/mn, "?"), 0))
  end
end
