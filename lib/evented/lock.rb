# frozen_string_literal: true

module Evented
  # A mutex for a few lines that never wait. Who finds it locked blocks its thread for that moment instead of parking,
  # so that no cancellation can come in between; and no other thread can interrupt those lines.
  #
  # @private
  class Lock < Thread::Mutex
    UNINTERRUPTED = { Object => :never }.freeze
    private_constant :UNINTERRUPTED

    # @return [Boolean] whether this is a signal handler or a finalizer, where nobody may lock anything
    def self.forbidden?
      # There is no other way to ask; a new one is locked by nobody.
      Thread::Mutex.new.lock.unlock
      false
    rescue ThreadError
      true
    end

    # @return [Object] the block's value
    # @raise [ThreadError] in a signal handler, always: the fiber below it may be the one that has locked it
    # @threadsafe yes
    def exclusively
      Thread.handle_interrupt(UNINTERRUPTED) do
        Fiber.blocking { lock }
        begin
          yield
        ensure
          unlock
        end
      end
    end
  end
  private_constant :Lock
end
