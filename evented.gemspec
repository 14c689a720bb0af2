# frozen_string_literal: true

require_relative "lib/evented/version"

Gem::Specification.new do |spec|
  spec.name = "evented"
  spec.version = Evented::VERSION
  spec.authors = ["The evented authors"]
  spec.summary = "A fiber scheduler and event loop for Ruby, on io_uring, epoll and kqueue, written in Rust"
  spec.description = <<~TEXT
    Plain blocking Ruby code (Net::HTTP, pg, sockets, processes, queues, sleep) runs concurrently on one thread:
    one native reactor per Ruby thread, on io_uring where the kernel allows it and on epoll or kqueue elsewhere.
  TEXT
  spec.license = "MIT"
  spec.required_ruby_version = ">= 3.3"
  spec.metadata["rubygems_mfa_required"] = "true"
  spec.metadata["cargo_crate_name"] = "evented"

  # The workspace's root goes along: rb-sys builds from there, under rake as under `gem install`.
  spec.files = Dir.chdir(__dir__) do
    Dir["Cargo.{toml,lock}", "ext/**/*.{rs,toml,rb}", "lib/**/*.{rb,rake}", "sig/**/*.{rbs,yaml}",
        "README.md", "CHANGELOG.md", "LICENSE"].sort
  end
  spec.extensions = ["ext/evented/extconf.rb"]

  # Needed to build the extension, hence at `gem install` time.
  spec.add_dependency "rb_sys", "~> 0.9.91"
end
