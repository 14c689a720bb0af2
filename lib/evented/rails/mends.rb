# frozen_string_literal: true

module Evented
  module Rails
    # What Active Record does not expect: that a query is interrupted by what is no StandardError, and that its fiber is
    # one of many.
    #
    # @private
    module Mends
      # How long the server may take to end a query that nobody waits for any more, in seconds.
      PATIENCE = 5
      # After how many seconds to ask it again.
      ASK_AGAIN = 0.1
      private_constant :PATIENCE, :ASK_AGAIN

      # For all adapters.
      module Adapter
        # Which of the pool's permits it was taken with.
        attr_accessor :evented_permit

        # @return [void]
        # @threadsafe no
        def lock_thread=(owner)
          owner.is_a?(Fiber) ? @lock = ConnectionLock.new : super
        end

        # Whether a query runs on it. Known for PostgreSQL.
        #
        # @return [Boolean]
        def evented_querying? = false

        # Whether it is in a state that its next user would be surprised by. Known for PostgreSQL.
        #
        # @return [Boolean]
        def evented_unfinished? = false

        private

        # Rails 8.2 marks it as unverified too.
        def with_raw_connection(...)
          super
        rescue Exception => e # rubocop:disable Lint/RescueException
          unless e.is_a?(StandardError)
            @last_activity = nil
            @verified = false
          end
          evented_end_query
          raise
        end

        def evented_end_query = nil
      end

      # For PostgreSQL's.
      module PostgreSQL
        # (see Adapter#evented_querying?)
        def evented_querying? = evented_status == ::PG::PQTRANS_ACTIVE

        # (see Adapter#evented_unfinished?)
        def evented_unfinished?
          [::PG::PQTRANS_ACTIVE, ::PG::PQTRANS_INTRANS, ::PG::PQTRANS_INERROR].include?(evented_status)
        end

        private

        # A query that was interrupted still runs, and whoever is next would have to wait for it. Inside of a
        # transaction it is left alone: ending it would end the transaction, and that without a word at its COMMIT,
        # while who rescues the interruption may go on with it. Rolling the transaction back ends the query.
        def evented_end_query
          return if !evented_querying? || evented_in_transaction?

          Evented.shield(timeout: PATIENCE) do
            # Unless it was a BEGIN, which nobody knows to have happened.
            @raw_connection.query("ROLLBACK") if evented_cancel_query && evented_status != ::PG::PQTRANS_IDLE
          end
        rescue StandardError
          nil # see below
        ensure
          disconnect! if evented_unfinished? && !evented_in_transaction?
        end

        # Before a transaction is rolled back. Active Record's own asks the server once and then waits for as long as
        # the query takes, and the server ignores what comes before it has begun with the query.
        def cancel_any_running_query
          return unless evented_querying?
          return if Evented.shield(timeout: PATIENCE) { evented_cancel_query }

          raise ActiveRecord::ConnectionFailed, "the server did not end a query within #{PATIENCE} s of being asked to"
        end

        # @return [Boolean] whether it has ended
        def evented_cancel_query
          ended = (PATIENCE / ASK_AGAIN).ceil.times.any? do
            @raw_connection.cancel
            @raw_connection.block(ASK_AGAIN)
          end
          @raw_connection.discard_results if ended
          ended
        end

        # As far as Active Record knows.
        def evented_in_transaction?
          @transaction_manager.instance_variable_get(:@stack).any?(&:materialized?)
        end

        def evented_status
          @raw_connection&.transaction_status
        rescue ::PG::Error # it is closed
          nil
        end
      end

      # Connections that are not fit for anybody else do not go back to the pool.
      module Pool
        # @return [void]
        # @suspends until a connection that is not used again is closed
        # @threadsafe yes
        def checkin(connection)
          return super if @pinned_connection.equal?(connection) || !connection.evented_unfinished?

          connection.throw_away!
        end
      end

      class << self
        # @return [void]
        # @threadsafe no
        def install
          adapters = ActiveRecord::ConnectionAdapters
          prepend_to(adapters::AbstractAdapter, Adapter)
          prepend_to(adapters::ConnectionPool, Pool)
          Transactions.install
          ActiveSupport.on_load(:active_record_postgresqladapter) { Mends.prepend_to(self, PostgreSQL) }
        end

        # @return [void]
        # @threadsafe no
        def prepend_to(target, mend)
          target.send(:prepend, mend) unless target < mend
        end
      end
    end
    private_constant :Mends
  end
end
