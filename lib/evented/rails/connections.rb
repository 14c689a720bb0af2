# frozen_string_literal: true

module Evented
  module Rails
    # The pools of Active Record: who gets a connection, and that all come back.
    #
    # @private
    module Connections
      # How long a cancelled task may take to get or to give back a connection, in seconds.
      PATIENCE = 5
      # How often to look for connections whose owner has ended, in seconds.
      REAP_EVERY = 0.1
      private_constant :PATIENCE, :REAP_EVERY

      # Those who want a connection wait in line for a permit, so that nobody waits in the pool itself: there they would
      # be given up after `checkout_timeout`, and a wake-up that comes together with a cancellation would be lost.
      module Pool
        # @return [ActiveRecord::ConnectionAdapters::AbstractAdapter]
        # @raise [ActiveRecord::ConnectionTimeoutError] if none was given back for `checkout_timeout` seconds, and no
        #   query runs on any; on a plain thread if there was none in this time
        # @suspends until there is one
        # @threadsafe yes
        def checkout(checkout_timeout = @checkout_timeout)
          # (Whoever has the pool's own lock collects all connections.)
          permits = @pinned_connection || mon_owned? ? nil : evented_permits
          return super unless permits

          evented_acquire(permits, checkout_timeout)
          begin
            connection = Evented.shield(timeout: PATIENCE) { super }
            # One that is pinned is had by several.
            kept = !connection.equal?(@pinned_connection) && connection.evented_permit.nil?
            connection.evented_permit = permits if kept
            connection
          ensure
            permits.release unless kept
          end
        end

        # @return [void]
        # @suspends only if another thread is just changing the pool
        # @threadsafe yes
        def checkin(connection)
          Evented.shield(timeout: PATIENCE) { super }
        ensure
          evented_give_back(connection) unless connection.in_use?
        end

        # @return [void]
        # @threadsafe yes
        def remove(connection)
          Evented.shield(timeout: PATIENCE) { super }
        ensure
          evented_give_back(connection)
        end

        private

        def evented_permits
          @evented_permits || CREATION.exclusively do
            # From 8.1 on a pool may have no limit.
            @evented_permits ||= PoolPermits.new(size) if size.is_a?(Integer) && size.positive?
          end
        end

        def evented_acquire(permits, seconds)
          return if permits.try_acquire

          evented_reap
          return permits.acquire(timeout: seconds) unless Task.current?

          returned = @evented_returned
          permits.acquire_patiently(seconds) do
            reap
            raise evented_standstill(seconds) if returned == @evented_returned && !evented_querying?

            returned = @evented_returned
          end
        rescue Evented::TimeoutError
          raise evented_timeout("could not obtain a connection from the pool within #{seconds} seconds; all pooled " \
                                "connections were in use")
        end

        # Connections of who has ended without a word; not by each of a crowd.
        def evented_reap
          now = Evented.clock
          return if @evented_reaped && now - @evented_reaped < REAP_EVERY

          @evented_reaped = now
          reap
        end

        def evented_give_back(connection)
          permit = connection.evented_permit or return
          connection.evented_permit = nil
          @evented_returned = (@evented_returned || 0) + 1
          permit.release
        end

        # Whether any of them is about to get an answer.
        def evented_querying?
          connections.any? { |connection| connection.in_use? && connection.evented_querying? }
        end

        def evented_standstill(seconds)
          evented_timeout(<<~TEXT.tr("\n", " ").strip)
            no connection was given back for #{seconds} s, and no query runs on any of the #{size} of this pool: the tasks
            that have them wait for something else, maybe for this one. Don't wait for other tasks, HTTP or sleep inside of
            a transaction or with_connection, or have a bigger pool (`pool:` in config/database.yml, or
            ActiveRecord::Base.establish_connection).
          TEXT
        end

        def evented_timeout(message)
          error = ActiveRecord::ConnectionTimeoutError.new(message)
          error.respond_to?(:set_pool) ? error.set_pool(self) : error
        end
      end

      CREATION = Lock.new
      private_constant :CREATION

      @loaded = false

      class << self
        # Active Record is there. (To ask for it would load it.)
        #
        # @return [void]
        # @threadsafe no
        def loaded = @loaded = true

        # @return [void]
        # @threadsafe no
        def install
          pool = ActiveRecord::ConnectionAdapters::ConnectionPool
          pool.send(:prepend, Pool) unless pool < Pool
        end

        # Gives back all connections that the current task still has: those it never did, and those it could not because
        # it was interrupted while it did.
        #
        # @return [void]
        # @suspends only if another thread is just changing the pool
        # @threadsafe yes
        def release
          return unless @loaded

          context = ActiveSupport::IsolatedExecutionState.context
          ActiveRecord::Base.connection_handler.each_connection_pool do |pool|
            pool.release_connection if pool.active_connection?
            pool.connections.each do |connection|
              next unless connection.owner.equal?(context)

              pool.checkin(connection)
            end
          end
        end
      end
    end
    private_constant :Connections
  end
end
