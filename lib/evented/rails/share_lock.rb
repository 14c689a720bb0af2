# frozen_string_literal: true

require "active_support/concurrency/share_lock"

module Evented
  module Rails
    # The lock that keeps code from being reloaded while it runs. Before Rails 8.2 it belongs to a thread, so that while
    # one fiber runs another one of the same thread may unload what it runs.
    #
    # @private
    module ShareLock
      # Those who run, by what Active Support isolates them by. What the lock knows as Thread is this.
      module Owner
        # @return [Fiber]
        def self.current = ActiveSupport::IsolatedExecutionState.context
      end

      # A task that is started by one who holds a share gets one too, even while somebody waits to reload: that one
      # waits for the starter, and the starter may wait for the task.
      module Inheritance
        # @return [void]
        def start_sharing
          synchronize do
            context = ActiveSupport::IsolatedExecutionState.context
            starter = Fiber.current.evented_starter
            if starter && (@sharing.fetch(starter, 0).positive? || @exclusive_thread.equal?(starter))
              @sharing[context] += 1
              return
            end
          end
          super
        end
      end

      class << self
        # @return [void]
        # @threadsafe no
        def mend
          lock = ActiveSupport::Concurrency::ShareLock
          return if lock < Inheritance

          lock.const_set(:Thread, Owner) unless by_context?(lock)
          lock.send(:prepend, Inheritance)
        end

        private

        # Whether it is mended in Rails itself: what it does tells.
        def by_context?(lock)
          owners = nil
          Fiber.new do
            own = lock.new
            own.start_sharing
            own.raw_state { |state| owners = state.keys }
          end.resume
          owners.none?(::Thread)
        end
      end
    end
    private_constant :ShareLock
  end
end
