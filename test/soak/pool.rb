# frozen_string_literal: true

require_relative "../support/throwaway_postgres"

module Soak
  # Connections to a PostgreSQL server of our own, as usual pools keep them: one that was interrupted in the middle of
  # something is closed, and another one takes its place.
  class Pool
    SIZE = 6

    def self.available?
      require "pg"
      ThrowawayPostgres.available?
    rescue LoadError
      false
    end

    def initialize(books)
      @books = books
      @server = ThrowawayPostgres.new
      @free = Thread::Queue.new
      @numbers = 0
      # Sizes of rows, by number: those that were committed, and those of which nobody knows.
      @committed = {}
      @open = {}
      SIZE.times { @free << nil }
      connect.then { |connection| connection.exec("CREATE TABLE soak (number int, text text)") && connection.close }
    end

    def with
      connection = @free.pop
      taken = true
      connection ||= connect
      value = yield connection
      sound = true
      value
    ensure
      if taken
        connection.close if connection && !sound
        @free << (sound ? connection : nil)
      end
    end

    def next_number = @numbers += 1
    def begun(number, size) = @open[number] = size
    def committed(number) = @committed[number] = @open.delete(number)

    # Ends the backend of some connection, in whatever it is doing.
    def terminate_one
      with do |connection|
        connection.exec(<<~SQL)
          SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1
        SQL
      end
      @books.fault("PostgreSQL backend terminated", "asked for")
    end

    # Every row that was committed is there, and no row that nobody has begun.
    def settle
      rows = connect.then do |connection|
        connection.exec("SELECT number, length(text) FROM soak").values.to_h { |row| row.map(&:to_i) }
      ensure
        connection.close
      end
      missing = @committed.reject { |number, size| rows[number] == size }
      strange = rows.reject { |number, size| (@committed[number] || @open[number]) == size }
      @books.mismatch(:postgres, "#{missing.size} rows were committed and are not there") if missing.any?
      @books.mismatch(:postgres, "#{strange.size} rows are there that nobody has written") if strange.any?
      rows.size
    end

    def close
      until @free.empty?
        connection = @free.pop
        connection&.close
      end
      @server.close
    end

    private

    # (That a backend was terminated it would print.)
    def connect = PG.connect(@server.conninfo).tap { |connection| connection.set_notice_processor { nil } }
  end
end
