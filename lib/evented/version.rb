# frozen_string_literal: true

module Evented
  # The gem's version, equal to the one in Cargo.toml.
  VERSION = "0.1.0"
end
