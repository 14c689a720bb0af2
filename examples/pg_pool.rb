# frozen_string_literal: true

# More work than connections: a Queue is a pool, and who finds it empty waits without holding up the others.
#
#     ruby -Ilib examples/pg_pool.rb

require "evented"
require_relative "../test/support/throwaway_postgres"

begin
  require "pg"
rescue LoadError
  abort "examples/pg_pool.rb needs the pg gem"
end
abort "examples/pg_pool.rb needs PostgreSQL's binaries (initdb) in PATH" unless ThrowawayPostgres.available?

ThrowawayPostgres.open do |postgres|
  pool = Queue.new
  5.times { pool << PG.connect(postgres.conninfo) }
  with_connection = lambda do |&block|
    connection = pool.pop
    block.call(connection)
  ensure
    pool << connection if connection
  end

  with_connection.call { |connection| connection.exec("CREATE TABLE visits (number int PRIMARY KEY)") }

  Evented do
    40.times do |number|
      Evented do
        with_connection.call do |connection|
          connection.transaction do
            connection.exec("SELECT pg_sleep(0.05)")
            connection.exec_params("INSERT INTO visits VALUES ($1)", [number])
          end
        end
      end
    end
  end

  count = with_connection.call { |connection| connection.exec("SELECT count(*) FROM visits").getvalue(0, 0).to_i }
  abort "#{count} of 40 rows arrived" unless count == 40
  abort "#{pool.size} of 5 connections came back" unless pool.size == 5
  puts "40 transactions over 5 connections, #{count} rows"
end
