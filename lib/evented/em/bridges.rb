# frozen_string_literal: true

# From evented's own promises and tasks to deferrables; {Evented::EM::Deferrable#wait} leads the other way.
module Evented
  class Promise # rubocop:disable Style/Documentation
    # What code that lives on callbacks can be given.
    #
    # @return [EM::DefaultDeferrable] that succeeds with its value, or fails with its error: in a pass of the reactor
    #   that ran when this was called; without one, where the promise is settled
    # @threadsafe yes
    def to_deferrable
      deferrable = EM::DefaultDeferrable.new
      settler = EM.__settler(deferrable)
      callback { |value| settler.call(:succeeded, value) }
      errback { |error| settler.call(:failed, error) }
      deferrable
    end
  end

  class Task # rubocop:disable Style/Documentation
    # What code that lives on callbacks can be given. It counts as somebody who waits: a failure is not the parent's to
    # hear of any more.
    #
    # @return [EM::DefaultDeferrable] that succeeds with its value, or fails with its error (an {Evented::Cancel} if it
    #   was cancelled): in a pass of the reactor that ran when this was called; without one, where the task ends
    def to_deferrable
      deferrable = EM::DefaultDeferrable.new
      settler = EM.__settler(deferrable)
      on_complete do
        heard
        @error ? settler.call(:failed, @error) : settler.call(:succeeded, @value)
      end
      deferrable
    end
  end

  module EM
    # Runs a block in a fiber of its own: what waits in it keeps nobody waiting. What it raises is handled as a
    # callback's error is.
    #
    # @return [Fiber]
    # @raise [ArgumentError] without a block
    # @raise [RuntimeError] if this thread runs no reactor
    # @suspends until the block first waits
    # @threadsafe each call is about the reactor of the thread that makes it
    def self.fiber(&block)
      raise ArgumentError, "EM.fiber needs a block" unless block

      reactor = Reactor.own or raise "eventmachine not initialized: EM.fiber needs the reactor's thread"
      reactor.fiber(block)
    end

    # @return [Proc] that settles a deferrable where its callbacks belong
    # @private
    def self.__settler(deferrable)
      reactor = Reactor.current
      lambda do |status, value|
        settle = -> { deferrable.set_deferred_status(status, value) }
        reactor ? reactor.call_soon(settle) : settle.call
      end
    end
  end
end
