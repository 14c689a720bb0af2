# frozen_string_literal: true

require "helper"

class TestingSettingsTest < Minitest::Test
  Settings = Evented::Testing::Settings

  def test_what_is_not_said
    settings = Settings.new

    assert_equal 60, settings.timeout
    assert_equal %i[tasks fibers descriptors], settings.leaks
    refute settings.shuffle
    refute settings.allow?(self, "anything")
  end

  def test_true_and_false_and_one_stand_for_leaks
    assert_empty Settings.new(leaks: false).leaks
    assert_equal Settings::LEAKS, Settings.new(leaks: true).leaks
    assert_equal [:tasks], Settings.new(leaks: :tasks).leaks
  end

  def test_changes
    settings = Settings.new

    assert_same settings, settings.changed_by(true)
    assert_same settings, settings.changed_by(nil)
    assert_nil settings.changed_by(false)
    assert_equal 5, settings.changed_by(timeout: 5).timeout
  end

  def test_what_is_allowed
    settings = Settings.new(allow: [/log/, File, ->(what) { what == 3 }])

    assert settings.allow?(nil, "fd 7: a.log")
    assert File.open(__FILE__) { |file| settings.allow?(file, "") }
    assert settings.allow?(3, "")
    refute settings.allow?(4, "")
  end

  def test_configure_changes_what_is_given
    before = Evented::Testing.settings
    Evented::Testing.configure(timeout: 5)
    Evented::Testing.configure(shuffle: true)

    assert_equal [5, true], [Evented::Testing.settings.timeout, Evented::Testing.settings.shuffle]
  ensure
    Evented::Testing.configure(**before.to_h)
  end

  def test_bad_input_is_refused
    assert_raises(ArgumentError) { Evented::Testing.configure(timeout: 0) }
    assert_raises(ArgumentError) { Evented::Testing.configure(timeout: "5") }
    assert_raises(ArgumentError) { Evented::Testing.configure(timeout: 5i) }
    assert_raises(ArgumentError) { Evented::Testing.configure(leaks: :threads) }
    assert_raises(ArgumentError) { Evented::Testing.configure(patience: 5) }
    assert_match(%r{/a\\\.log/}, assert_raises(ArgumentError) { Settings.new(allow: ["a.log"]) }.message)
    assert_raises(ArgumentError) { Settings.new.changed_by("5") }
  end
end
