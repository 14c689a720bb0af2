# frozen_string_literal: true

require "support/active_record"
require "support/rails_process"
require "support/suite_process"

# Suites of applications, with `Evented do` in the body of transactional tests.
class TransactionalSuitesTest < Minitest::Test
  include ActiveRecordTest
  include SuiteProcess

  APPLICATION = <<~RUBY.freeze
    ENV["RAILS_ENV"] = "test"
    #{RailsProcess::APPLICATION}
    App.config.log_level = :fatal
    App.config.active_record.maintain_test_schema = false
    App.config.logger = Logger.new(nil)
    App.initialize!
    class Entry < ActiveRecord::Base; end
  RUBY
  BODIES = <<~RUBY
    def transaction_around
      Entry.transaction do
        Entry.create!(name: "outer")
        Evented.run { Entry.count }
      end
    end

    def tasks
      Evented.run do
        Entry.create!(name: "one")
        Evented.map(1..20, limit: 10) { |n| Entry.transaction { Entry.create!(name: n.to_s).name } }
        Evented { Entry.count }.value
      end
    end
  RUBY
  MINITEST = <<~RUBY.freeze
    #{APPLICATION}
    require "rails/test_help"
    class EntriesTest < ActiveSupport::TestCase
      include Evented::Rails::TestHelper
      self.use_transactional_tests = true
      #{BODIES.gsub(/^(?=.)/, "      ").lstrip}
      test("transaction around") { assert_equal 1, transaction_around }
      test("tasks") { assert_equal 21, tasks }
      test("nothing is left") { assert_equal 0, Entry.count }
    end
    class CarelessTest < ActiveSupport::TestCase
      include Evented::Rails::TestHelper
      self.use_transactional_tests = false
      test("a connection is left") { Fiber.new { ActiveRecord::Base.connection_pool.checkout }.resume }
    end
  RUBY
  RSPEC = <<~RUBY.freeze
    #{APPLICATION}
    require "rspec/rails"
    RSpec.configure do |config|
      config.use_transactional_fixtures = true
      config.include Evented::Rails::TestHelper
    end
    RSpec.describe Entry, type: :model do
      #{BODIES.gsub(/^(?=.)/, "      ").lstrip}
      let(:entry) { Entry.create!(name: "lazy") }
      it("transaction around") { expect(transaction_around).to eq 1 }
      it("tasks") { expect(tasks).to eq 21 }
      it("let inside") { expect(Evented.run { [entry.name, Entry.count] }).to eq ["lazy", 1] }
      it("nothing is left") { expect(Entry.count).to eq 0 }
    end
  RUBY

  def test_minitest
    run = suite(MINITEST, "-e", "require ARGV.shift", "FILE")

    assert_match(/^4 runs, .* 0 failures, 1 errors/, run.output)
    assert_match(/CarelessTest#test_a_connection_is_left.*\n.*tasks left 1 database connections behind/, run.output)
  end

  def test_minitest_in_a_reactor
    run = suite(MINITEST.sub("\"rails/test_help\"", "\"rails/test_help\"\nrequire \"evented/minitest\""),
                "-e", "require ARGV.shift", "FILE", "-n", "/transaction|tasks|nothing/")

    assert_match(/ 0 failures, 0 errors/, run.output)
  end

  def test_rspec
    skip "rspec-rails is not installed" unless Gem::Specification.any? { |gem| gem.name == "rspec-rails" }
    run = suite(RSPEC, "-e", "require 'rspec/core'; exit RSpec::Core::Runner.run(ARGV)", "FILE")

    assert_match(/^4 examples, 0 failures$/, run.output)
  end

  def test_rspec_in_a_reactor
    skip "rspec-rails is not installed" unless Gem::Specification.any? { |gem| gem.name == "rspec-rails" }
    source = RSPEC.sub("RSpec.configure do |config|", "require \"evented/rspec\"\nRSpec.configure do |config|\n" \
                                                      "config.evented = true")
    run = suite(source, "-e", "require 'rspec/core'; exit RSpec::Core::Runner.run(ARGV)", "FILE")

    assert_match(/^4 examples, 0 failures$/, run.output)
  end

  private

  def suite(source, *)
    Dir.mktmpdir do |root|
      FileUtils.mkdir_p("#{root}/config")
      File.write("#{root}/config/database.yml", { "test" => ActiveRecordTest.database.stringify_keys }.to_yaml)
      run_suite(source, *, env: { "APP_ROOT" => root, "EVENTED_DRIVER" => Evented.driver.to_s })
    end
  end
end
