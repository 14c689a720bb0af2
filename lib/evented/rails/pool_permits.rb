# frozen_string_literal: true

module Evented
  module Rails
    # As many as a pool has connections. Who wants one waits for a permit, in line, however many there are.
    #
    # @private
    class PoolPermits < Semaphore
      # Waits for as long as it makes sense.
      #
      # @param seconds [Numeric] how often to ask whether it does
      # @yield raises if it does not
      # @return [void]
      # @suspends until there is one
      # @threadsafe yes
      def acquire_patiently(seconds, &)
        return if (taken = try_acquire)

        waiter = Waiter.new(self)
        taken = stay(waiter, seconds, &)
      ensure
        leave(waiter) if waiter && !taken
      end

      private

      # Asking does not cost the place in the line.
      def stay(waiter, seconds)
        wait(waiter, seconds)
        true
      rescue TimeoutError
        yield
        yield until waiter.await(seconds) { nil }
        true
      end
    end
    private_constant :PoolPermits
  end
end
