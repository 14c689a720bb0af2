# frozen_string_literal: true

require "json"
require "net/http"
require_relative "../../test/support/throwaway_postgres"

Bench.define do
  measures "Answers of a language model, 40 tokens 20 ms apart from a loop in C beside it, streamed by Net::HTTP and " \
           "written to PostgreSQL over 5 connections; one operation is one answer. Threads are always 25. Latencies " \
           "are those of tokens, from when they were sent until they are parsed"
  variants 25, 100, 1_000, 5_000, of: "answers at a time"
  operations ->(at_once) { at_once < 1_000 ? 4 * at_once : at_once },
             threads: ->(at_once) { at_once == 1_000 ? 1_000 : 100 }
  rounds 1
  patience 240

  beside do |use|
    raise Bench::Missing, "PostgreSQL's server (initdb) is not there" unless ThrowawayPostgres.available?

    require "pg"
    ThrowawayPostgres.open do |postgres|
      PG.connect(postgres.conninfo) do |connection|
        connection.exec("CREATE TABLE messages (id bigserial PRIMARY KEY, content text, done boolean DEFAULT false)")
      end
      Bench::Load.beside([Bench::Commands.floor("tokens"), "40", "20"]) do |port|
        use.call("BENCH_PG" => postgres.conninfo, "BENCH_PORT" => port.to_s)
      end
    end
  end

  # One run: the pool of connections, and what has been seen of all answers.
  messages = Struct.new(:pool, :began, :latencies, :first_tokens) do
    define_method(:now) { Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond) }

    # In one piece: who waits for a connection waits in line.
    define_method(:query) do |sql, *values|
      connection = pool.pop
      connection.exec_params(sql, values)
    ensure
      pool.push(connection) if connection
    end

    define_method(:transaction) do |sql, *values|
      connection = pool.pop
      connection.transaction { connection.exec_params(sql, values) }
    ensure
      pool.push(connection) if connection
    end

    # A message is begun, its answer streamed into it, and written again every ten tokens and at its end.
    define_method(:answer) do
      id = query("INSERT INTO messages (content) VALUES ('') RETURNING id").getvalue(0, 0)
      content = +""
      tokens = 0
      each_event do |event|
        arrived = now
        first_tokens << (arrived - began) if tokens.zero?
        latencies << (arrived - event.fetch("sent"))
        content << event.dig("choices", 0, "delta", "content")
        query("UPDATE messages SET content = $1 WHERE id = $2", content, id) if ((tokens += 1) % 10).zero?
      end
      raise "#{tokens} tokens instead of 40" unless tokens == 40

      transaction("UPDATE messages SET content = $1, done = true WHERE id = $2", content, id)
    end

    define_method(:each_event) do |&block|
      Net::HTTP.start("127.0.0.1", Integer(ENV.fetch("BENCH_PORT")), read_timeout: 60) do |http|
        request = Net::HTTP::Post.new("/v1/chat/completions", "Content-Type" => "application/json")
        request.body = JSON.generate(model: "none", stream: true, messages: [{ role: "user", content: "Hello" }])
        http.request(request) do |response|
          unread = +""
          response.read_body do |part|
            unread << part
            while (line = unread.slice!(/\A.*?\n\n/m))
              data = line.delete_prefix("data: ").strip
              block.call(JSON.parse(data)) unless data == "[DONE]"
            end
          end
        end
      end
    end
  end

  # @yieldparam answer [Proc] one answer
  measure = lambda do |run, &answers|
    require "pg"
    pool = Thread::Queue.new
    5.times { pool << PG.connect("#{ENV.fetch("BENCH_PG")} application_name=#{Process.pid}") }
    all = messages.new(pool, nil, [], [])
    run.start
    all.began = all.now
    answers.call(-> { all.answer })
    run.stop
    connections = all.query("SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", Process.pid.to_s)
    at = ->(list, share) { list.sort[((list.size - 1) * share).round] }
    run.report(p50: at.call(all.latencies, 0.5), p99: at.call(all.latencies, 0.99), highest_latency: all.latencies.max,
               first_p50: at.call(all.first_tokens, 0.5), first_p99: at.call(all.first_tokens, 0.99),
               connections: connections.getvalue(0, 0).to_i)
    pool.pop.close until pool.empty?
  end

  threads do |count, run|
    measure.call(run) do |answer|
      left = Thread::Queue.new([*1..count]).close
      Array.new(25) { Thread.new { answer.call while left.pop } }.each(&:join)
    end
  end

  tasks do |count, run|
    measure.call(run) { |answer| Evented.each(1..count, limit: run.variant) { answer.call } }
  end

  async do |count, run|
    measure.call(run) do |answer|
      semaphore = Async::Semaphore.new(run.variant)
      Array.new(count) { semaphore.async { answer.call } }.each(&:wait)
    end
  end

  goal "evented", at_most: 4_000_000, at: 1_000
  goal "evented", at_least: 8, times: "threads", at: 1_000
  goal "evented", at_most: 1, times: "Async", at: [25, 100, 1_000, 5_000]
end
