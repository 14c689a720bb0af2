# frozen_string_literal: true

require "support/base"

# Docs that name files must not outlive them.
class DocsTest < Minitest::Test
  DOCS = %w[README.md CONTRIBUTING.md docs/architecture.md docs/clients.md docs/em-compatibility.md docs/invariants.md
            docs/performance.md docs/platforms.md docs/guides/eventmachine.md docs/guides/rails.md docs/guides/tasks.md
            docs/guides/testing.md].freeze
  # Made by a build or a run, so a clean checkout lacks them.
  MADE = %r{\A(?:target|tmp|pkg|doc|lib/evented/(?:\d+\.\d+|evented\.(?:so|bundle)))(?:/|\z)}
  # `ext/evented-core/src/op/read.rs`, `bin/demo`, `driver/uring.rs`, `docs/`, `driver/{uring,poll}.rs`, with or
  # without a line number behind.
  PATH = %r{\A[\w.{},*-]+(?:/[\w.{},*-]+)*(?:/|\.(?:rs|rb|rbs|rake|md|toml|yml|gemspec))(?=:\d+\z|\z)|\Abin/\w+\z}
  # A path may be given from one of these, as the docs say where they are.
  BASES = ["", "ext/evented-core/src", "ext/evented/src", "ext/evented-core", "ext/evented", "lib", "lib/evented",
           "test", "docs", "examples/rails_app"].freeze

  DOCS.each do |doc|
    define_method("test_files_named_in_#{doc}_exist") do
      assert_path_exists File.join(ROOT, doc)
      assert_empty named_in(doc).reject { |path| there?(path) }, "#{doc} names files that don't exist"
    end
  end

  def test_architecture_names_the_files_of_the_way_of_one_read
    named = named_in("docs/architecture.md")
    assert_operator named.size, :>=, 10, "docs/architecture.md should lead through the files by name"
  end

  def test_every_cited_invariant_is_listed
    listed = File.read(File.join(ROOT, "docs/invariants.md")).scan(/\bI-\d+/).uniq
    sources = Dir[File.join(ROOT, "{ext,lib}/**/*.{rs,rb}")].reject { |file| file.include?("/target/") }
    cited = sources.flat_map { |file| File.read(file).scan(/\bI-\d+/) }.uniq
    assert_empty cited - listed
  end

  # @return [Boolean] also for a name that stands nowhere: the test above has to be able to fail
  def test_a_name_that_stands_nowhere_is_noticed
    refute there?("driver/nowhere.rs")
    assert there?("Cargo.toml")
    assert_equal %w[driver/nowhere.rs], paths("see `driver/nowhere.rs:12` and `Fiber.schedule`, `I-3`")
  end

  private

  def named_in(doc) = paths(File.read(File.join(ROOT, doc)))

  def paths(text)
    text.gsub(/^```.*?^```/m, "").scan(/`([^`\n]+)`/).flatten.filter_map { |code| code[PATH] }.uniq.grep_v(MADE)
  end

  def there?(path)
    BASES.any? { |base| Dir.glob(File.join(ROOT, base, path)).any? }
  end
end
