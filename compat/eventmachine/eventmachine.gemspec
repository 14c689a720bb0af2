# frozen_string_literal: true

# Stands for the gem eventmachine in a Gemfile, so that gems that depend on it get evented:
#
#   gem "eventmachine", path: "…/compat/eventmachine"
Gem::Specification.new do |spec|
  spec.name = "eventmachine"
  # What dependents ask for: >= 1.0, >= 1.2.7, ~> 1.2.
  spec.version = "1.3.0"
  spec.authors = ["The evented authors"]
  spec.summary = "EventMachine's API on evented's reactor"
  spec.license = "MIT"
  spec.required_ruby_version = ">= 3.3"
  spec.metadata["rubygems_mfa_required"] = "true"
  spec.files = Dir.chdir(__dir__) { Dir["lib/**/*.rb"] }
  spec.add_dependency "evented"
end
