# frozen_string_literal: true

require "rbconfig"
require_relative "answering"
require_relative "requests"

module Bench
  # Very many connections that do nothing: how long it takes until they are there, what they cost, and what they make
  # requests on others cost.
  class Idle
    class << self
      # @return [Hash] seconds until all were accepted; bytes a connection, in all and beside Ruby's objects; and what
      #   {Requests} says of 64 busy connections beside them
      def measure(answering, count:, seconds:, memory:)
        hold(answering, count, memory: memory) do |sample|
          sample.merge(busy: Requests.measure(answering, connections: 64, seconds: seconds))
        end
      end

      # @param memory [Boolean] whether it can say how much it takes
      # @yieldparam sample [Hash] as far as it goes, while all are there
      def hold(answering, count, memory: true)
        before = answering.memory if memory
        holding(answering.port, count) do |started|
          answering.line == "all" or raise Answering::Failure, "it did not accept all of them"
          sample = { connections: count, accepted_within: Process.clock_gettime(Process::CLOCK_MONOTONIC) - started }
          if memory
            resident, objects = answering.memory.zip(before).map { |now, earlier| (now - earlier).fdiv(count) }
            sample.update(bytes: resident, objects: objects, native: resident - objects)
          end
          yield sample
        end
      end

      # @return [Integer] of so many connections those that one process can have here, in round numbers
      def attainable(count)
        needed = count + 100
        hard = Process.getrlimit(:NOFILE).last
        # Root can usually raise it.
        Process.wait(fork do
          Process.setrlimit(:NOFILE, needed, [needed, hard].max)
          exit!(true)
        rescue Errno::EPERM
          exit!
        end)
        $?.success? ? count : (hard - 100) / 1_000 * 1_000
      end

      private

      # @yieldparam started [Float] the monotonic clock as it began to connect
      def holding(port, count)
        holder = IO.popen([*Answering.on_core(Answering::LOAD_CORE), RbConfig.ruby, "--disable-gems",
                           "#{__dir__}/holder.rb", port.to_s, count.to_s], "r+")
        yield Float(holder.gets)
      ensure
        Process.kill(:KILL, holder.pid)
        holder.close
      end
    end
  end
end
