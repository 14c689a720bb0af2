# frozen_string_literal: true

require_relative "boot"
require "logger"
require "rails"
%w[active_record action_controller active_job].each { |part| require "#{part}/railtie" }
require "evented/rails"

module Example
  class Application < Rails::Application
    config.load_defaults 7.2
    config.root = File.expand_path("..", __dir__)
    config.secret_key_base = ENV.fetch("SECRET_KEY_BASE", "an example has no secrets")
    config.logger = Logger.new($stdout.tap { |out| out.sync = true })
    config.log_level = ENV.fetch("LOG_LEVEL", "info").to_sym
    config.api_only = true
    config.active_job.queue_adapter = ENV.fetch("QUEUE_ADAPTER", "evented").to_sym
    config.x.llm_url = ENV.fetch("LLM_URL", "http://127.0.0.1:4000")

    # What evented adds, and what it would be without this line: a second without a turn of the reactor is logged.
    config.evented.stall_after = 1
  end
end
