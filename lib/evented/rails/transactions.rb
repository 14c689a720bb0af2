# frozen_string_literal: true

module Evented
  module Rails
    # The end of a transaction. If the wait for the answer to COMMIT were broken off, nobody would know whether it was.
    #
    # @private
    module Transactions
      # How long a cancelled task may take for it, in seconds.
      PATIENCE = 5
      private_constant :PATIENCE

      # @return [void]
      # @suspends until the database has answered; a cancellation comes afterwards
      def commit = Evented.shield(timeout: PATIENCE) { super }

      # @return [void]
      # @suspends until the database has answered; a cancellation comes afterwards
      def rollback = Evented.shield(timeout: PATIENCE) { super }

      # @return [void]
      # @threadsafe no
      def self.install
        %i[RealTransaction SavepointTransaction RestartParentTransaction].each do |name|
          kind = ActiveRecord::ConnectionAdapters.const_get(name)
          kind.send(:prepend, self) unless kind < self
        end
      end
    end
    private_constant :Transactions
  end
end
