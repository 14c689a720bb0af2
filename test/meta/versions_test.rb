# frozen_string_literal: true

require "evented/version"
require "json"
require "support/base"

class VersionsTest < Minitest::Test
  def test_gem_and_crates_have_one_version
    assert_equal Evented::VERSION, cargo[/^\[workspace\.package\].*?^version = "(.*?)"/m, 1]
    members.each { |manifest| assert_includes File.read(manifest), "version.workspace = true", manifest }
  end

  def test_lock_file_has_that_version_too
    lock = File.read(File.join(ROOT, "Cargo.lock"))
    %w[evented evented-core].each do |crate|
      assert_equal Evented::VERSION, lock[/^name = "#{crate}"\nversion = "(.*?)"/, 1], crate
    end
  end

  def test_one_minimum_rust_version
    msrv = cargo[/^rust-version = "(.*?)"/, 1]
    assert_match(/\A\d+\.\d+\z/, msrv)
    assert_equal msrv, File.read(File.join(ROOT, "clippy.toml"))[/^msrv = "(.*?)"/, 1]
    members.each { |manifest| assert_includes File.read(manifest), "rust-version.workspace = true", manifest }
  end

  # Our own code is held to it by clippy (incompatible_msrv); a dependency says what it needs.
  def test_every_locked_dependency_allows_that_rust
    host = IO.popen(%w[rustc -vV], &:read)[/^host: (.*)/, 1]
    metadata = IO.popen(%W[cargo metadata --locked --format-version 1 --filter-platform #{host}],
                        chdir: ROOT, err: File::NULL, &:read)
    resolved = JSON.parse(metadata)
    used = resolved["resolve"]["nodes"].map { |node| node["id"] }
    newer = resolved["packages"].select do |crate|
      used.include?(crate["id"]) && crate["rust_version"] &&
        Gem::Version.new(crate["rust_version"]) > Gem::Version.new(cargo[/^rust-version = "(.*?)"/, 1])
    end
    assert_empty(newer.map { |crate| "#{crate["name"]} needs Rust #{crate["rust_version"]}" })
  end

  def test_changelog_begins_with_what_is_unreleased
    assert_match(/\A# Changelog\n.*?^## \[?Unreleased/m, File.read(File.join(ROOT, "CHANGELOG.md")))
  end

  private

  def cargo = File.read(File.join(ROOT, "Cargo.toml"))

  def members = Dir[File.join(ROOT, "ext/*/Cargo.toml")]
end
