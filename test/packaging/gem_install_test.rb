# frozen_string_literal: true

require "English"
require "fileutils"
require "rbconfig"
require "rubygems"
require "support/base"
require "tmpdir"

# The gem as a user gets it: built, installed into an empty GEM_HOME, used from there.
class GemInstallTest < Minitest::Test
  # An optimised extension is compiled from nothing.
  TIME_LIMIT = 900

  PROGRAM = <<~RUBY
    require "evented"
    puts $LOADED_FEATURES.grep(/evented/)
    puts "driver=\#{Evented.driver}"
    puts "value=\#{Evented.run { sleep 0.01; 42 }}"
  RUBY

  def test_the_built_gem_installs_into_an_empty_home_and_runs
    Dir.mktmpdir("evented-gem") do |home|
      file = build(home)
      run!(home, "gem", "install", "--local", "--ignore-dependencies", "--no-document", file)
      output = run!(home, RbConfig.ruby, "-w", "-e", "gem 'evented'\n#{PROGRAM}")

      loaded = output.lines(chomp: true).grep(%r{\A/})
      refute_empty loaded.grep(/evented\.(?:so|bundle)\z/)
      assert_empty(loaded.reject { |path| path.start_with?(File.realpath(home)) })
      assert_match(/^driver=(?:uring|poll)$/, output)
      assert_match(/^value=42$/, output)
    end
  end

  def test_the_gem_holds_what_a_build_needs_and_no_more
    files = Gem::Specification.load(File.join(ROOT, "evented.gemspec")).files
    needed = %w[Cargo.toml Cargo.lock ext/evented/extconf.rb ext/evented/Cargo.toml ext/evented/build.rs
                ext/evented/src/lib.rs ext/evented-core/Cargo.toml ext/evented-core/src/lib.rs lib/evented.rb
                lib/evented/version.rb sig/evented.rbs README.md CHANGELOG.md LICENSE]
    assert_empty needed - files
    assert_empty files.grep(%r{\.(?:so|bundle|gem)\z|\A(?:test|bench|target|tmp)/})
    tracked = IO.popen(%w[git ls-files -z], chdir: ROOT, err: File::NULL, &:read).split("\0")
    assert_empty files - tracked, "shipped but not tracked" unless tracked.empty?
  end

  private

  def build(home)
    file = File.join(home, "evented.gem")
    run!(home, "gem", "build", "--output", file, File.join(ROOT, "evented.gemspec"))
    file
  end

  # Runs without Bundler, with the gems of this machine behind the empty home: rb_sys is needed to build.
  def run!(home, *command)
    env = { "GEM_HOME" => home, "GEM_PATH" => [home, *Gem.default_path, *gem_dirs].uniq.join(":"),
            "RUBYOPT" => nil, "RUBYLIB" => nil, "BUNDLE_GEMFILE" => nil, "BUNDLER_SETUP" => nil }
    output = IO.popen(env, command, chdir: ROOT, err: %i[child out], &:read)
    assert_predicate $CHILD_STATUS, :success?, "#{command.join(" ")}:\n#{output}"
    output
  end

  # Where this process found rb_sys.
  def gem_dirs
    [File.dirname(Gem::Specification.find_by_name("rb_sys").spec_file, 2)]
  end
end
