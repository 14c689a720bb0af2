# frozen_string_literal: true

# From evented's own promises and tasks to deferrables; {Evented::EM::Deferrable#wait} leads the other way.
module Evented
  class Promise
    # @return [EM::DefaultDeferrable] that succeeds with its value, or fails with its error, on the reactor's thread
    # @threadsafe yes
    def to_deferrable
      deferrable = EM::DefaultDeferrable.new
      callback { |value| EM.schedule { deferrable.succeed(value) } }
      errback { |error| EM.schedule { deferrable.fail(error) } }
      deferrable
    end
  end

  class Task
    # @return [EM::DefaultDeferrable] that succeeds with its value, or fails with its error. A failure counts as heard of
    def to_deferrable
      deferrable = EM::DefaultDeferrable.new
      EM.fiber do
        deferrable.succeed(wait)
      rescue StandardError, Cancel => e
        deferrable.fail(e)
      end
      deferrable
    end
  end

  module EM
    # Runs a block in a fiber of its own: what waits in it keeps nobody waiting. What it raises is handled as a callback's
    # error is.
    #
    # @return [Fiber]
    # @raise [RuntimeError] if no reactor runs
    # @suspends until the block first waits
    # @threadsafe each call is about the reactor of the thread that makes it
    def self.fiber(&block)
      raise ArgumentError, "EM.fiber needs a block" unless block

      reactor = Reactor.own or raise "eventmachine not initialized: EM.fiber needs the reactor's thread"
      reactor.fiber(block)
    end
  end
end
