# frozen_string_literal: true

# What every test stands on, also those that don't load the extension: Ruby's warnings about our files raise,
# and no test hangs. Tests of evented itself require "helper" instead.

require "minitest/autorun"
require_relative "watchdog"

ROOT = File.expand_path("../..", __dir__)

# A Ruby warning about a file of ours is a failure.
module RaiseOnWarning
  OURS = %r{\A(?:#{Regexp.escape(ROOT)}/)?(?:lib|test|bench|examples)/}

  def warn(message, category: nil, **)
    raise "Ruby warns: #{message}" if OURS.match?(message)

    super
  end
end

Warning[:deprecated] = true
Warning.singleton_class.prepend(RaiseOnWarning)
Minitest::Test.prepend(Watchdog::Watched)
