# frozen_string_literal: true

require_relative "../../test/support/throwaway_postgres"

# `size` queries in plain, blocking Ruby, over a pool of connections. A Queue is pool enough: who finds it empty waits,
# be it a thread or a fiber.
class PgWork
  # Why it can't be done here, or nil.
  def self.missing
    require "pg"
    "no PostgreSQL server found (initdb is not in PATH): the SQL half is left out" unless ThrowawayPostgres.available?
  rescue LoadError
    "the pg gem is not there (`bundle config set with postgres; bundle install`): the SQL half is left out"
  end

  attr_reader :size

  def initialize(conninfo, size, connections, delay)
    @conninfo = conninfo
    @size = size
    @connections = connections
    @delay = delay
  end

  def prepare
    @pool = Queue.new
    @connections.times { @pool << PG.connect(@conninfo) }
  end

  def call(number)
    connection = @pool.pop
    answer = connection.exec_params("SELECT $1::int, pg_sleep($2)", [number, @delay]).getvalue(0, 0)
    raise "query #{number} was answered with #{answer.inspect}" unless answer == number.to_s
  ensure
    @pool << connection if connection
  end
end
