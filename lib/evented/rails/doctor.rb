# frozen_string_literal: true

module Evented
  module Rails
    # What `bin/rails evented:doctor` finds: whether an application, its gems and this machine are fit for many fibers
    # on a thread, and what to do if not.
    class Doctor
      # @!attribute [r] level
      #   @return [Symbol] `:ok`, `:warning` (something blocks, or will be short), or `:error` (it must not run so)
      # @!attribute [r] text
      #   @return [String]
      # @!attribute [r] remedy
      #   @return [String, nil]
      Finding = Data.define(:level, :text, :remedy)

      # Adapters of Active Record, whether they wait without blocking their thread, and what to do about those that
      # don't.
      ADAPTERS = {
        "postgresql" => [:ok, "waits without blocking", nil],
        "postgis" => [:ok, "waits without blocking", nil],
        "trilogy" => [:ok, "waits without blocking", nil],
        "mysql2" => [:warning, "blocks the thread while it connects, reads results and uses prepared statements",
                     "use the trilogy adapter"],
        "sqlite3" => [:warning, "blocks the thread, and so all tasks, for as long as each query takes",
                      "use it for what is quick only, wrap what is not in Evented.offload { … }, or use PostgreSQL"]
      }.freeze
      UNKNOWN = [:warning, "is not known here", "see whether a second task goes on while one is in a slow query"].freeze
      private_constant :UNKNOWN
      # Gems that block the thread.
      CLIENTS = {
        "hiredis-client" => "remove it: redis-client waits without blocking by itself",
        "hiredis" => "remove it: redis-client waits without blocking by itself",
        "typhoeus" => "use Net::HTTP, http.rb, httpx or faraday with one of those",
        "ethon" => "use Net::HTTP, http.rb, httpx or faraday with one of those",
        "grpc" => "wrap calls in Evented.offload { … }",
        "rdkafka" => "wrap calls in Evented.offload { … }",
        "bcrypt" => "it computes for some 200 ms: wrap the check of a password in Evented.offload { … }",
        "excon" => "give each task a connection of its own: connections are shared by the fibers of a thread"
      }.freeze
      # The oldest pg that waits without blocking; how many maps and descriptors are few; how many maps a fiber takes.
      PG = "1.3.0"
      FEW_MAPS = 65_530
      FEW_DESCRIPTORS = 4096
      MAPS_A_FIBER = 2
      private_constant :PG, :FEW_MAPS, :FEW_DESCRIPTORS, :MAPS_A_FIBER

      # @param app [Rails::Application, nil]
      # @param gems [Hash{String => Gem::Specification}] those that are loaded, by name
      # @param maps [Integer, nil] `vm.max_map_count`
      # @param descriptors [Integer] how many a process may have
      def initialize(app = ::Rails.application, gems: Gem.loaded_specs, maps: max_map_count,
                     descriptors: Process.getrlimit(:NOFILE).first)
        @app = app
        @gems = gems
        @maps = maps
        @descriptors = descriptors
      end

      # @return [Array<Finding>]
      # @suspends while it asks the database
      def findings
        [*versions, driver, isolation, wrap, *databases, *clients, *queue, *machine].compact
      end

      # @param out [#puts]
      # @return [Boolean] whether nothing is an error
      # @suspends while it asks the database
      def report(out = $stdout)
        all = findings
        all.each do |finding|
          out.puts format("%-8<level>s %<text>s", level: finding.level, text: finding.text)
          out.puts "         → #{finding.remedy}" if finding.remedy
        end
        counts = all.map(&:level).tally
        out.puts "#{counts.fetch(:error, 0)} errors, #{counts.fetch(:warning, 0)} warnings, #{counts.fetch(:ok, 0)} ok"
        !counts.key?(:error)
      end

      private

      def ok(text) = Finding.new(:ok, text, nil)

      def warning(text, remedy) = Finding.new(:warning, text, remedy)

      def error(text, remedy) = Finding.new(:error, text, remedy)

      def max_map_count
        Integer(File.read("/proc/sys/vm/max_map_count"))
      rescue SystemCallError # not Linux
        nil
      end

      def versions
        rails = ActiveSupport.version
        found = [if rails >= Gem::Version.new(OLDEST)
                   ok("Rails #{rails}")
                 else
                   error("Rails #{rails} keeps a connection for the rest of a request", "update to #{OLDEST} or newer")
                 end]
        found << ruby
      end

      def ruby
        if RUBY_VERSION < "3.4" && ENV["RUBY_MN_THREADS"] == "1"
          return warning("RUBY_MN_THREADS=1: io_uring can't be used, because threads move", "unset it")
        end

        ok("Ruby #{RUBY_VERSION}#{", whose Happy Eyeballs evented switches off" if RUBY_VERSION >= "3.4"}")
      end

      def driver
        return ok("the driver is #{Evented.driver}") unless Evented.driver == :poll && RUBY_PLATFORM.include?("linux")
        return ok("the driver is poll, as EVENTED_DRIVER says") if ENV["EVENTED_DRIVER"]

        warning("the driver is poll: io_uring is not to be had here", "it works, and costs more CPU time; containers " \
                                                                      "often forbid io_uring by their seccomp profile")
      rescue Error => e
        error("EVENTED_DRIVER: #{e.message}", "unset it, or choose the other one")
      end

      def isolation
        level = ActiveSupport::IsolatedExecutionState.isolation_level
        return ok("the isolation level is :fiber") if level == :fiber

        text = "the isolation level is :#{level}: fibers of a thread share a database connection and Current"
        remedy = "remove config.active_support.isolation_level: evented/rails sets :fiber"
        defined?(ActiveRecord) ? error(text, remedy) : warning(text, remedy)
      end

      def wrap
        return ok("tasks are wrapped in the #{Rails.wrap}") if Rails.wrap

        warning("tasks are not wrapped: no query cache, and Current is not reset", "remove config.evented.wrap = false")
      end

      def databases
        return [] unless defined?(ActiveRecord::Base)

        configurations = ActiveRecord::Base.configurations.configurations.select do |configuration|
          configuration.env_name == ::Rails.env
        end
        [*configurations.flat_map { |configuration| database(configuration) }, permanent_checkout]
      rescue StandardError => e
        [error("the configuration of the databases can't be read: #{e.message.lines.first.chomp}",
               "see config/database.yml")]
      end

      def database(configuration)
        adapter = configuration.adapter
        level, text, remedy = ADAPTERS.fetch(adapter, UNKNOWN)
        name = "the database #{configuration.name} (#{adapter})"
        found = [Finding.new(level, "#{name} #{text}", remedy)]
        found << old_pg if adapter == "postgresql"
        found << small_pool(name, configuration) << server_limit(name, configuration)
      end

      def old_pg
        version = @gems["pg"]&.version
        return if version.nil? || version >= Gem::Version.new(PG)

        error("pg #{version} blocks the thread for each query", "update it to #{PG} or newer")
      end

      def small_pool(name, configuration)
        size = configuration.pool
        return if size.nil? || size > 1

        warning("#{name} has a pool of #{size}: a transaction keeps all others waiting",
                "set pool: to 5 or more in config/database.yml; tasks wait in line for a connection, so it need " \
                "not be as many as there are tasks")
      end

      def server_limit(name, configuration)
        return unless configuration.adapter == "postgresql" && (size = configuration.pool)

        limit = max_connections(configuration)
        return ok("#{name} allows #{limit} connections, and the pool is #{size}") if size <= limit

        error("#{name} allows #{limit} connections, and the pool of each process is #{size}",
              "set pool: lower, or max_connections of PostgreSQL higher")
      rescue StandardError => e
        warning("#{name} can't be asked: #{e.message.lines.first.chomp}",
                "see whether it runs, and config/database.yml")
      end

      # By a connection of its own, for the pool of the application may be another one's.
      def max_connections(configuration)
        connection = configuration.new_connection
        Integer(connection.select_value("SHOW max_connections"))
      ensure
        connection&.disconnect!
      end

      def permanent_checkout
        return unless ActiveRecord.respond_to?(:permanent_connection_checkout)
        return unless ActiveRecord.permanent_connection_checkout == true

        ok("ActiveRecord::Base.connection is allowed, and keeps a connection until its task ends; " \
           "config.active_record.permanent_connection_checkout = :deprecated finds where")
      end

      def clients
        @gems.keys.filter_map do |name|
          if CLIENTS[name]
            warning("the gem #{name} blocks its thread, or is not safe for several fibers",
                    CLIENTS[name])
          end
        end
      end

      def queue
        file = @app&.root&.join("config/queue.yml")
        return [] unless file&.exist?

        settings = ActiveSupport::ConfigurationFile.parse(file).deep_symbolize_keys
        settings = settings.fetch(::Rails.env.to_sym, settings)
        require "evented/solid_queue"
        Array(settings[:workers]).filter_map do |worker|
          SolidQueue.check(worker)
          ok("a worker in config/queue.yml does #{worker[:fibers]} jobs at a time in fibers") if worker[:fibers]
        rescue ArgumentError, TypeError => e
          error(e.message, "see config/queue.yml")
        end
      end

      def machine
        [maps, descriptors]
      end

      def maps
        return unless @maps

        fibers = "room for about #{@maps / MAPS_A_FIBER} fibers a process (vm.max_map_count is #{@maps})"
        return ok(fibers) if @maps >= FEW_MAPS

        warning(fibers, "sysctl -w vm.max_map_count=262144")
      end

      def descriptors
        text = "a process may have #{@descriptors} descriptors, one for each connection"
        return ok(text) if @descriptors >= FEW_DESCRIPTORS

        warning(text, "raise it with ulimit -n, or LimitNOFILE= of systemd")
      end
    end
  end
end
