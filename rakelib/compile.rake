# frozen_string_literal: true

require "rb_sys/extensiontask"

GEMSPEC = Gem::Specification.load(File.expand_path("../evented.gemspec", __dir__))

# `rake compile` builds with optimisation, `rake compile:dev` without.
RbSys::ExtensionTask.new("evented", GEMSPEC) do |ext|
  ext.lib_dir = "lib/evented"
  # rb-sys watches ext/evented alone; without this an edit of the core would leave a stale extension behind.
  ext.source_pattern = "../evented-core/**/*.rs"
end
