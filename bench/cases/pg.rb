# frozen_string_literal: true

require_relative "../../test/support/throwaway_postgres"

Bench.define do
  measures "20 connections to PostgreSQL, a fiber each with one query after another; one operation is one of 10 rows"
  operations 4_000

  connections = 20
  query = "SELECT n, n::text FROM generate_series(1, 10) n"

  beside do |use|
    raise Bench::Missing, "PostgreSQL's server (initdb) is not there" unless ThrowawayPostgres.available?

    require "pg"
    ThrowawayPostgres.open { |postgres| use.call("BENCH_PG" => postgres.conninfo) }
  end

  pool = lambda do
    require "pg"
    Array.new(connections) { PG.connect(ENV.fetch("BENCH_PG")) }
  end
  work = ->(connection, count) { count.times { connection.exec(query).ntuples == 10 or raise "not all rows" } }

  floor "the same queries one after the other, without a scheduler" do |count, run|
    all = pool.call
    run.measure { all.each { |connection| work.call(connection, count / connections) } }
    all.each(&:close)
  end

  together = lambda do |count, run, start, wait|
    all = pool.call
    run.measure { all.map { |connection| start.call { work.call(connection, count / connections) } }.each(&wait) }
    all.each(&:close)
  end

  tasks { |count, run| together.call(count, run, ->(&block) { Evented(&block) }, :wait) }
  async { |count, run| together.call(count, run, ->(&block) { Async(&block) }, :wait) }
  threads { |count, run| together.call(count, run, Thread.method(:new), :join) }

  %w[Async threads].each { |peer| goal "evented", at_most: 1, times: peer }
end
