# frozen_string_literal: true

# Loaded into the demo by its test: every answer is a wrong one.

require "net/http"

Net::HTTP.define_singleton_method(:get) { |*| "wrong" }
