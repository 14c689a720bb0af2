# frozen_string_literal: true

require "fileutils"
require "support/ruby_process"
require "tmpdir"

# Boots a small application of Rails in a Ruby of its own: there is one a process, and booting changes it for good.
module RailsProcess
  include RubyProcess

  # To boot takes seconds.
  TIME_LIMIT = 120
  PATIENCE = 100

  APPLICATION = <<~RUBY
    require "bundler" if ENV["BUNDLE_GEMFILE"]
    require "logger"
    require "rails"
    require "active_record/railtie" unless ENV["WITHOUT_ACTIVE_RECORD"]
    require "action_controller/railtie"
    require "active_job/railtie"
    require "evented/rails"
    $stdout.sync = true

    class App < Rails::Application
      config.root = ENV.fetch("APP_ROOT")
      config.eager_load = false
      config.enable_reloading = false
      config.secret_key_base = "secret"
      config.hosts.clear
      config.logger = Logger.new($stderr)
      config.log_level = :error
      config.consider_all_requests_local = true
      config.active_support.deprecation = :stderr
      config.load_defaults 7.2
      config.file_watcher = ActiveSupport::FileUpdateChecker
    end
  RUBY

  # Whether a Ruby like this one can load all of it.
  def self.loadable?
    return @loadable if defined?(@loadable)

    parts = %w[pg active_record action_controller/railtie].map { |part| "-r#{part}" }
    @loadable = system(RbConfig.ruby, "-rlogger", *parts, "-e", "0", out: File::NULL, err: File::NULL)
  end

  def setup
    super
    skip "Rails, or pg, is not installed" unless RailsProcess.loadable?
    @root = Dir.mktmpdir("evented-rails-")
    FileUtils.mkdir_p(%W[#{@root}/app/models #{@root}/app/controllers #{@root}/config #{@root}/log])
    file("config/database.yml", "test: { adapter: postgresql, host: /nowhere, database: none }")
  end

  def teardown
    FileUtils.rm_rf(@root) if @root
    super
  end

  private

  def file(path, text) = File.write("#{@root}/#{path}", text)

  # @param settings [String] of `class App`
  # @param script [String] runs after it has been initialized
  # @return [String] what the script wrote
  def rails(settings, script = "", env: {})
    output_of_ruby(whole(settings, script), env: env_of_app(env), limit: PATIENCE)
  end

  # @return [String] what it complained about
  def rails_fails(settings, script = "", env: {})
    _, errors, status = ruby(whole(settings, script), env: env_of_app(env), limit: PATIENCE)
    refute_predicate status, :success?
    errors
  end

  def whole(settings, script)
    "#{APPLICATION}\nclass App\n#{settings}\nend\nApp.initialize!\n#{script}"
  end

  def env_of_app(env)
    { "APP_ROOT" => @root, "RAILS_ENV" => "test", "EVENTED_DRIVER" => Evented.driver.to_s, "DATABASE_URL" => nil,
      **env }
  end
end
