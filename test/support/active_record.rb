# frozen_string_literal: true

require "helper"
require "support/scheduled"
require "support/throwaway_postgres"

# Active Record on a PostgreSQL server of the test run's own, with evented/rails.
module ActiveRecordTest
  POOL = 5
  # What goes to a server and back some ten thousand times takes as long as the machine is busy with other things.
  TIME_LIMIT = 120

  class << self
    # @return [String, nil] why there is none
    attr_reader :missing

    # What evented/rails has tasks run in. Only these tests have it: others of this process know nothing of Rails.
    attr_reader :surroundings

    # @return [ThrowawayPostgres]
    def postgres
      @postgres ||= ThrowawayPostgres.new.tap { |own| Minitest.after_run { own.close } }
    end

    def start
      return if @started

      require "active_record"
      require "evented/rails"
      require "pg"
      return @missing = "PostgreSQL's binaries (initdb, postgres) are not installed" unless ThrowawayPostgres.available?

      ActiveSupport::IsolatedExecutionState.isolation_level = :fiber
      Evented::Rails.setup
      @surroundings = Evented::Task.surroundings
      connect
      define_models
      @started = true
    rescue LoadError => e
      @missing = "the gem is not installed: #{e.message}"
    end

    # @return [Hash] for establish_connection
    def database(**more)
      host = postgres.conninfo[/host=(\S+)/, 1]
      { adapter: "postgresql", host: host, username: "postgres", database: "postgres", pool: POOL,
        min_messages: "error", reaping_frequency: 0, **more }
    end

    def connect(**more)
      ActiveRecord::Base.establish_connection(database(**more))
    end

    private

    def define_models
      ActiveRecord::Schema.verbose = false
      ActiveRecord::Schema.define do
        create_table(:entries) do |table|
          table.string :name
          table.integer :number
        end
      end
      Object.const_set(:Entry, Class.new(ActiveRecord::Base))
      ActiveRecord::Base.connection_handler.clear_active_connections!(:all)
    end
  end

  def setup
    super
    ActiveRecordTest.start
    skip ActiveRecordTest.missing if ActiveRecordTest.missing
    Evented::Task.surroundings = ActiveRecordTest.surroundings
    Entry.delete_all
  end

  # Nothing is held once the tasks are over.
  def teardown
    super
    return if ActiveRecordTest.missing

    ActiveRecord::Base.connection_handler.clear_active_connections!(:all)
    assert_equal 0, pool.stat[:busy], pool.stat.inspect
    assert_equal pool.size, pool.__send__(:evented_permits).available, "a permit was lost, or given back twice"
  end

  def after_teardown
    super
  ensure
    Evented::Task.surroundings = nil
    # What I18n leaves in the storage of this fiber.
    Fiber[:i18n_config] = nil
  end

  private

  def pool = ActiveRecord::Base.connection_pool

  def backend = ActiveRecord::Base.lease_connection.select_value("SELECT pg_backend_pid()")

  def select(sql) = ActiveRecord::Base.with_connection { |connection| connection.select_value(sql) }

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

  # A connection beside the pool.
  def outside
    require "pg"
    connection = PG.connect(ActiveRecordTest.postgres.conninfo)
    yield connection
  ensure
    connection&.close
  end

  # How many sessions of the pool are in the middle of a transaction.
  def in_transaction
    outside do |connection|
      connection.exec(<<~SQL).getvalue(0, 0).to_i
        SELECT count(*) FROM pg_stat_activity WHERE state LIKE '%in transaction%' AND pid <> pg_backend_pid()
      SQL
    end
  end
end
