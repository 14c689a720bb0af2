# frozen_string_literal: true

require "rails/railtie"

module Evented
  module Rails
    # The settings, as `config.evented` in an application of Rails:
    #
    # - `wrap`: what a task is wrapped in that was not started inside of something that is wrapped, such as a request
    #   or a job: `:executor`, `:reloader` or false. By default `:reloader` where code is reloaded, else `:executor`.
    # - `back_pressure` (true): tasks that want a database connection wait in line for one, however many there are.
    # - `stall_after` (1): seconds after which a reactor whose thread is kept busy is reported; nil for never.
    # - `allow_thread_isolation` (false): whether tasks may run although `config.active_support.isolation_level` is
    #   `:thread`, which corrupts data if they use Active Record.
    # - `solid_queue` (true): whether Solid Queue's workers that are configured by `fibers:` run on evented.
    # - `job_timeout` (nil): seconds after which a job of such a worker is ended, and has failed.
    class Railtie < ::Rails::Railtie
      config.evented = ActiveSupport::OrderedOptions.new
      config.evented.wrap = nil
      config.evented.back_pressure = true
      config.evented.stall_after = 1
      config.evented.allow_thread_isolation = false
      config.evented.solid_queue = true
      config.evented.job_timeout = nil

      # An application that sets another one does so after this; it is refused below.
      config.active_support.isolation_level = :fiber

      initializer "evented.setup", after: "active_support.isolation_level" do |app|
        options = app.config.evented
        wrap = options.wrap
        wrap = app.config.reloading_enabled? ? :reloader : :executor if wrap.nil?
        Rails.setup(wrap: wrap, back_pressure: options.back_pressure, stall_after: options.stall_after,
                    allow_thread_isolation: options.allow_thread_isolation)
        # When the level has been set, by what comes before this.
        config.after_initialize { Rails.check_isolation }
      end

      # Looked up by name, as Rails does its own.
      initializer "evented.active_job", before: "active_job.set_configs" do
        if defined?(::ActiveJob)
          ActiveJob::QueueAdapters.autoload(:EventedAdapter, "active_job/queue_adapters/evented_adapter")
        end
      end

      # When code has been loaded eagerly, if it is: what replaces a constant must not be loaded before it.
      config.after_initialize do |app|
        if app.config.evented.solid_queue && defined?(::SolidQueue)
          require "evented/solid_queue"
          SolidQueue.job_timeout = app.config.evented.job_timeout
          SolidQueue.install
          # Its models are loaded again with the application's.
          app.reloader.to_prepare { SolidQueue.install }
        end
      end

      rake_tasks { load "#{__dir__}/doctor.rake" }

      initializer "evented.log_stalls" do
        ActiveSupport::Notifications.subscribe(Stalls::EVENT) do |_, _, _, _, stall|
          thread = stall[:thread]
          ::Rails.logger&.warn do
            ["evented: a thread (#{thread.name || thread.inspect}) was kept busy for #{stall[:duration].round(2)} s, " \
             "and none of its tasks could go on", *stall[:backtrace]&.first(20)].join("\n  ")
          end
        end
      end
    end
  end
end
