# frozen_string_literal: true

require_relative "child"
require_relative "commands"

module Bench
  # What loads a server, on a core of its own.
  module Load
    # A server that takes so many seconds longer than it should hangs.
    PATIENCE = 5

    module_function

    # HTTP with keep-alive.
    #
    # @return [Hash] operations, seconds, latencies in µs
    def wrk(server, connections:, seconds:)
      # wrk counts in whole seconds; interrupted, it reports what it has.
      command = [*Commands.on_core(Commands::LOAD_CORE), "timeout", "--signal", "INT", seconds.to_s, "wrk", "--latency",
                 "--threads", "1", "--connections", connections.to_s, "--duration", "60", "--timeout", "10",
                 "http://127.0.0.1:#{server.port}/"]
      report = server.window { IO.popen(command, err: %i[child out], &:read) }
      trouble = report[/^.*(?:Socket errors|Non-2xx|unable).*$/]
      raise Failure, trouble.strip if trouble

      count, took = report.match(/(\d+) requests in ([\d.]+\w+)/)&.captures
      raise Failure, "no answers at all" unless count.to_i.positive?

      { operations: count.to_i, seconds: microseconds(took) / 1e6, p50: latency(report, 50), p99: latency(report, 99) }
    end

    # Echoes, each connection's next message once its last has come back; at a `rate` a second in all, whether or not
    # they come back. What is measured begins when all are connected.
    def echo(server, connections:, size:, seconds:, rate: nil)
      words = [rate ? "open" : "closed", server.port, connections, size, seconds, *rate]
      Child.open([*Commands.on_core(Commands::LOAD_CORE), Commands.floor("load"), *words.map(&:to_s)]) do |load|
        load.line(PATIENCE)
        server.window do
          load.tell("go")
          operations, *figures = load.line(PATIENCE + seconds).split.map { |word| Float(word) }
          { operations: operations.to_i }.merge(%i[seconds p50 p99 p999].zip(figures).to_h)
        end
      end
    end

    # Connections that have had one echo and do nothing more: what they take, or what the block's load costs beside.
    def hold(server, connections)
      command = [*Commands.on_core(Commands::LOAD_CORE), Commands.floor("load"), "hold", server.port.to_s,
                 connections.to_s, "64"]
      Child.open(command) do |load|
        before = server.usage
        load.line(PATIENCE)
        block_given? ? yield : { operations: connections }.tap { server.close_window(before) }
      end
    end

    # A server beside what is measured, on the other core.
    #
    # @param command [Array<String>] to which the port to listen on is added
    # @yieldparam port [Integer]
    def beside(command)
      port = Commands.free_port
      Child.open([*Commands.on_core(Commands::LOAD_CORE), *command, port.to_s]) do |child|
        Commands.wait_for(port, child)
        yield port
      end
    end

    def latency(report, percent) = microseconds(report[/^ +#{percent}% +(\S+)/, 1])

    def microseconds(text)
      Float(text[/[\d.]+/]) * { "us" => 1, "ms" => 1e3, "s" => 1e6, "m" => 6e7 }.fetch(text[/[a-z]+/])
    end
  end
end
