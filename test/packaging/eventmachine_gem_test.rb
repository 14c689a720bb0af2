# frozen_string_literal: true

require "open3"
require "rbconfig"
require "rubygems"
require "support/base"
require "tmpdir"

# The gem that stands for eventmachine in a Gemfile.
class EventMachineGemTest < Minitest::Test
  DIRECTORY = "#{ROOT}/compat/eventmachine".freeze
  ALONE = { "RUBYOPT" => nil, "RUBYLIB" => nil, "BUNDLE_GEMFILE" => nil, "BUNDLER_SETUP" => nil }.freeze

  # Those of thin, em-http-request, em-websocket, faye-websocket, mailcatcher, em-synchrony …
  def test_it_is_new_enough_for_whatever_depends_on_eventmachine
    version = specification.version

    assert_empty([">= 0.12.9", "~> 1.0", ">= 1.0.4", "~> 1.2", ">= 1.2.7", "< 2"].reject do |requirement|
      Gem::Requirement.new(requirement).satisfied_by?(version)
    end)
  end

  def test_it_depends_on_evented_and_on_nothing_else
    assert_equal %w[evented], specification.dependencies.map(&:name)
  end

  def test_it_holds_a_file_for_all_that_can_be_required
    assert_equal Dir.glob("lib/**/*.rb", base: DIRECTORY).sort, specification.files.sort
    assert_includes specification.files, "lib/eventmachine.rb"
  end

  def test_it_builds
    Dir.mktmpdir do |directory|
      output, status = Open3.capture2e(ALONE, "gem", "build", "--output", "#{directory}/eventmachine.gem",
                                       "#{DIRECTORY}/eventmachine.gemspec", chdir: DIRECTORY)

      assert_predicate status, :success?, output
      assert_path_exists "#{directory}/eventmachine.gem"
    end
  end

  # Without a server of gems: both are there, as paths.
  def test_a_gemfile_that_names_it_gives_evented_to_gems_that_need_eventmachine
    skip "thin is not installed" if Gem::Specification.stubs_for("thin").empty?
    in_bundle(<<~GEMFILE) do |said|
      gem "evented", path: "#{ROOT}"
      gem "eventmachine", path: "#{DIRECTORY}"
      gem "thin"
    GEMFILE
      assert_equal "Evented::EM true", said
    end
  end

  # Debian's eventmachine, or that of a gem server, satisfies thin then, and is not loaded.
  def test_a_gemfile_without_it_works_too_if_evented_comes_first
    skip "thin is not installed" if Gem::Specification.stubs_for("thin").empty?
    skip "EventMachine itself is not installed" unless real_eventmachine?
    in_bundle(<<~GEMFILE) { |said| assert_equal "Evented::EM true", said }
      gem "evented", path: "#{ROOT}", require: "evented/eventmachine"
      gem "thin"
    GEMFILE
  end

  private

  def specification
    @specification ||= Gem::Specification.load("#{DIRECTORY}/eventmachine.gemspec")
  end

  def real_eventmachine?
    script = 'exit Gem::Specification.stubs_for("eventmachine").map(&:to_spec).any? { |spec| spec.extensions.any? }'
    system(ALONE, RbConfig.ruby, "-e", script)
  end

  # @yieldparam said [String] what EventMachine is then, and whether thin's connections are of it
  def in_bundle(gemfile)
    Dir.mktmpdir do |directory|
      File.write("#{directory}/Gemfile", "source \"https://rubygems.org\"\n#{gemfile}")
      env = { **ALONE, "BUNDLE_GEMFILE" => "#{directory}/Gemfile", "BUNDLE_SILENCE_ROOT_WARNING" => "1" }
      output, status = Open3.capture2e(env, "bundle", "install", "--local", chdir: directory)

      assert_predicate status, :success?, output
      output, status = Open3.capture2e(env, "bundle", "exec", RbConfig.ruby, "-W0", "-e", <<~RUBY, chdir: directory)
        Bundler.require
        puts "\#{EventMachine} \#{Thin::Connection < Evented::EM::Connection}"
      RUBY

      assert_predicate status, :success?, output
      yield output.chomp
    end
  end
end
