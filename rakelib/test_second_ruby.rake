# frozen_string_literal: true

require "rbconfig"

# Everything that depends on which Ruby this is, on a second Ruby that stands beside the one that runs Rake. Its
# extension is built in places of its own (`lib/evented/3.4/`, where lib/evented/native.rb looks first, and
# `target/ruby-3.4/`), so the other's is left alone. It runs without Bundler, on the gems that its own RubyGems finds.
module SecondRuby
  extend Rake::DSL

  COMMAND = ENV.fetch("SECOND_RUBY", "ruby3.4")

  # Run is what a version of Ruby can change; not the project's own tests, nor what needs gems that Debian compiles for
  # the first Ruby only.
  LEFT_OUT = [*TestRuns::ONCE, "test/rails", "test/demo_test.rb", "test/examples_test.rb"].freeze

  # What cannot be done without.
  GEMS = %w[rb_sys minitest test-unit].freeze

  module_function

  # Yields, or says why it is skipped, in the words that bin/test counts.
  def if_there
    reason = missing
    return yield unless reason

    puts "skipped: #{reason}"
    puts "0 passed, 0 failed, 1 skipped"
  end

  # @return [String, nil] why it can't be used
  def missing
    return "there is no #{COMMAND} (bin/setup takes it from Debian; SECOND_RUBY names another)" unless version
    return "#{COMMAND} is Ruby #{version}, as the first one is" if version.start_with?(RUBY_VERSION[/\A\d+\.\d+\./])
    return "#{COMMAND} has no headers (a package such as #{COMMAND}-dev)" unless ask(HEADERS)

    lacks = GEMS.reject { |gem| ask("Gem::Specification.find_all_by_name(#{gem.dump}).any? || nil") }
    "#{COMMAND} lacks the gems #{lacks.join(", ")}" if lacks.any?
  end

  HEADERS = 'File.exist?(File.join(RbConfig::CONFIG["rubyhdrdir"], "ruby.h")) || nil'

  # @return [String, nil] such as "3.4.11"
  def version = @version ||= ask("RUBY_VERSION")

  def minor = version[/\A\d+\.\d+/]

  def extension = "lib/evented/#{minor}/evented.#{RbConfig::CONFIG["DLEXT"]}"

  # As rb-sys would, in a process of that Ruby.
  def compile
    build = "tmp/ruby-#{version}"
    target = File.expand_path("target/ruby-#{minor}")
    mkdir_p [build, File.dirname(extension)], verbose: false
    plainly do
      env = { "RB_SYS_CARGO_TARGET_DIR" => target }
      sh(env, COMMAND, File.expand_path("ext/evented/extconf.rb"), chdir: build, verbose: false)
      sh(env, "make", "--silent", chdir: build, verbose: false)
    end
    # A new file, and not new bytes in one that a process may have mapped.
    rm_f extension, verbose: false
    cp "#{build}/evented.#{RbConfig::CONFIG["DLEXT"]}", extension, verbose: false
  end

  # Whether the extension is as new as its sources.
  def compiled?
    sources = Rake::FileList["ext/**/*.{rs,rb,toml}", "Cargo.{toml,lock}"]
    FileUtils.uptodate?(extension, sources.to_a)
  end

  # Without Bundler, whose gems are the first Ruby's.
  def plainly(&) = defined?(Bundler) ? Bundler.with_unbundled_env(&) : yield

  def ask(question)
    plainly do
      answer = IO.popen([COMMAND, "-e", "print(#{question})"], err: File::NULL, &:read)
      answer unless answer.empty?
    end
  rescue Errno::ENOENT
    nil
  end
end

desc "Run what depends on the Ruby on the second one, on both drivers"
task second_ruby: %w[second_ruby:uring second_ruby:poll second_ruby:conformance]

namespace :second_ruby do
  desc "Build the extension for the second Ruby (SECOND_RUBY, else ruby3.4)"
  task :compile do
    reason = SecondRuby.missing
    puts "not built: #{reason}" if reason
    SecondRuby.compile unless reason || SecondRuby.compiled?
  end

  %w[uring poll].each do |driver|
    desc "Run the Ruby tests on the second Ruby and the #{driver} driver (TEST=file)"
    task driver => :compile do
      SecondRuby.if_there do
        files = TestRuns.driver_files.reject { |file| file.start_with?(*SecondRuby::LEFT_OUT) }
        SecondRuby.plainly { TestRuns.in_processes(files, { "EVENTED_DRIVER" => driver }, command: SecondRuby::COMMAND) }
      end
    end
  end

  desc "Run the second Ruby's own test/fiber on both drivers"
  task conformance: :compile do
    SecondRuby.if_there do
      SecondRuby.plainly do
        %w[uring poll].each do |driver|
          sh({ "EVENTED_DRIVER" => driver }, SecondRuby::COMMAND, "test/conformance/run.rb", verbose: false)
        end
      end
    end
  end
end
