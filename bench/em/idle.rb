# frozen_string_literal: true

require "rbconfig"
require_relative "answering"
require_relative "requests"

module Bench
  # Very many connections that do nothing: how long it takes until they are there, what they cost, and what they make
  # requests on others cost.
  class Idle
    # @return [Hash] seconds until all were accepted; bytes a connection, in all and beside Ruby's objects; and what
    #   {Requests} says of 64 busy connections beside them
    def self.measure(answering, count:, seconds:, memory:)
      before = memory ? answering.memory : [0, 0]
      holding(answering.port, count) do |started|
        answering.line == "all" or raise Answering::Failure, "it did not accept all of them"
        accepted = Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
        after = memory ? answering.memory : [0, 0]
        resident, objects = after.zip(before).map { |now, earlier| (now - earlier).fdiv(count) }
        sample = { connections: count, accepted_within: accepted,
                   busy: Requests.measure(answering, connections: 64, seconds: seconds) }
        sample.update(bytes: resident, objects: objects, native: resident - objects) if memory
        sample
      end
    end

    # @yieldparam started [Float] the monotonic clock as it began to connect
    def self.holding(port, count)
      holder = IO.popen([*Answering.on_core(Answering::LOAD_CORE), RbConfig.ruby, "--disable-gems",
                         "#{__dir__}/holder.rb", port.to_s, count.to_s], "r+")
      yield Float(holder.gets)
    ensure
      Process.kill(:KILL, holder.pid)
      holder.close
    end
    private_class_method :holding
  end
end
