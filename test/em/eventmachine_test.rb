# frozen_string_literal: true

require "helper"
require "open3"
require "support/gem_process"
require "support/ruby_process"
require "tmpdir"

# How evented takes EventMachine's place. Each test has a Ruby of its own, and no Bundler, which decides what is found.
class EventMachineTest < Minitest::Test
  ALONE = { "RUBYOPT" => nil, "BUNDLE_GEMFILE" => nil, "RUBYLIB" => nil, "BUNDLER_SETUP" => nil }.freeze
  CLAIM = 'require "evented/eventmachine";'
  COMPAT = "#{ROOT}/compat/eventmachine/lib".freeze

  def test_it_is_eventmachine_and_em
    assert_equal "true true true\n", output(<<~RUBY)
      #{CLAIM}
      puts [EventMachine.equal?(Evented::EM), EM.equal?(Evented::EM),
            BufferedTokenizer.equal?(Evented::EM::BufferedTokenizer)].join(" ")
    RUBY
  end

  def test_evented_em_alone_claims_nothing
    assert_equal "nothing\n", output('require "evented/em"; puts defined?(EventMachine) || defined?(EM) || "nothing"')
  end

  def test_to_require_eventmachine_afterwards_loads_nothing
    assert_equal "", output(<<~RUBY)
      #{CLAIM}
      before = $LOADED_FEATURES.dup
      puts #{features}.select { |feature| require feature }
      puts $LOADED_FEATURES - before
    RUBY
  end

  # They are what a Debian machine or a `gem install eventmachine` has.
  def test_the_features_are_all_that_the_real_gem_has
    files = output(<<~RUBY).split
      real = Gem::Specification.stubs_for("eventmachine").map(&:to_spec).find { |spec| spec.extensions.any? }
      real&.full_require_paths&.each { |path| puts Dir.glob("**/*.{rb,so}", base: path) }
    RUBY
    skip "EventMachine itself is not installed" if files.empty?

    assert_equal files.map { |file| file.sub(/\.\w+\z/, "") }.uniq.sort, features.sort
  end

  def test_to_require_it_twice_does_no_harm
    assert_equal "true\n", output("#{CLAIM} require 'eventmachine'; #{CLAIM} puts EM.equal?(Evented::EM)")
  end

  def test_to_require_it_after_the_real_one_raises_and_says_what_to_do
    with_another_eventmachine do |directory|
      said = output(<<~RUBY, "-I#{directory}")
        require "eventmachine"
        begin
          require "evented/eventmachine"
        rescue LoadError => e
          puts "\#{e.class} \#{e.message}"
        end
      RUBY

      assert_equal "LoadError ::EventMachine is there already, and it is not evented's. " \
                   "Require \"evented/eventmachine\" before \"eventmachine\" and all that requires it, such as thin; " \
                   "in a Gemfile, put gem \"evented\", require: \"evented/eventmachine\" first\n", said
    end
  end

  def test_a_real_one_in_the_load_path_is_not_loaded
    with_another_eventmachine do |directory|
      assert_equal "Evented::EM\n", output("#{CLAIM} require 'eventmachine'; puts EventMachine.name", "-I#{directory}")
    end
  end

  def test_what_is_defined_in_module_eventmachine_is_defined_in_ours
    assert_equal "Evented::EM::Widget true\n", output(<<~RUBY)
      #{CLAIM}
      module EventMachine
        class Widget < Connection; end
      end
      puts "\#{Evented::EM::Widget} \#{Evented::EM::Widget < Evented::EM::Connection}"
    RUBY
  end

  def test_the_gem_that_stands_for_it_can_be_required_by_all_its_names
    assert_equal features.map { |feature| "#{feature} true true" }, output(<<~RUBY, "-I#{COMPAT}").split("\n")
      require "evented/em"
      $stdout.sync = true
      #{features}.each do |feature|
        Process.wait fork { puts "\#{feature} \#{require feature} \#{EventMachine.equal?(Evented::EM)}" }
      end
    RUBY
  end

  def test_the_gem_that_stands_for_it_has_nothing_more_to_load_afterwards
    assert_equal "false false\n", output("#{CLAIM} puts \"\#{require 'eventmachine'} \#{require 'em/deferrable'}\"",
                                         "-I#{COMPAT}")
  end

  def test_gems_find_it_when_the_real_one_is_installed
    needs_gems("em-websocket")
    assert_equal "Evented::EM::WebSocket\n",
                 output("#{CLAIM} require 'em-websocket'; puts EM::WebSocket.name", warn: "-W0")
  end

  private

  def features
    @features ||= begin
      claimed = File.read("#{ROOT}/lib/evented/eventmachine.rb")
      lists = %w[LIBRARY PROTOCOLS EXTENSIONS].map { |name| claimed[/#{name} = %w\[(.*?)\]/m, 1].split }
      lists[1].map! { |name| "em/protocols/#{name}" }
      lists.flatten
    end
  end

  def output(script, *options, warn: "-W")
    output, errors, status = Open3.capture3(ALONE, *RubyProcess::LIMIT, RbConfig.ruby, warn, "-I#{ROOT}/lib", *options,
                                            "-e", script)
    assert_predicate status, :success?, errors
    assert_empty errors
    output
  end

  def with_another_eventmachine
    Dir.mktmpdir do |directory|
      File.write("#{directory}/eventmachine.rb", "module EventMachine; end\nEM = EventMachine\n")
      yield directory
    end
  end
end
