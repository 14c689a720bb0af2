# frozen_string_literal: true

ENV["BUNDLE_GEMFILE"] ||= File.expand_path("../Gemfile", __dir__)
# In the checkout of evented its own bundle will do, or the gems of the system.
require "bundler/setup" if File.exist?("#{ENV.fetch("BUNDLE_GEMFILE")}.lock")
