# frozen_string_literal: true

module Evented
  module Rails
    # For tests of applications: `Evented do … end` in the body of a transactional test is part of its transaction, and
    # so are its tasks, one at a time. That is so without this; this has an example fail whose tasks left a connection
    # behind, and says at once if a suite would run with an isolation level that corrupts data.
    #
    # @example Minitest
    #   class ActiveSupport::TestCase
    #     include Evented::Rails::TestHelper
    #   end
    # @example RSpec
    #   RSpec.configure { |config| config.include Evented::Rails::TestHelper }
    module TestHelper
      # @private
      def before_setup
        Rails.check_isolation
        super if defined?(super)
      end

      # @private
      def after_teardown
        left = connections_left_behind
        owners = left.map { |connection| connection.owner.inspect }.uniq.join(", ")
        # Those of who has ended are not the next example's fault.
        left.map(&:pool).uniq.each(&:reap)
        super if defined?(super)
        return if left.empty?

        raise Error, "tasks left #{left.size} database connections behind, which are taken by #{owners}: give back " \
                     "what was checked out, and wait for tasks before the example ends"
      end

      # @return [Array<ActiveRecord::ConnectionAdapters::AbstractAdapter>] connections that are taken, but not by this
      #   fiber or a plain thread, nor the one that a transactional test has for all
      def connections_left_behind
        return [] unless defined?(ActiveRecord::Base)

        ActiveRecord::Base.connection_handler.connection_pool_list(:all).flat_map do |pool|
          pinned = pool.instance_variable_get(:@pinned_connection)
          pool.connections.select { |connection| !connection.equal?(pinned) && task?(connection.owner) }
        end
      end

      private

      # Those of tasks know who started them; when they have ended they know no more.
      def task?(owner)
        owner.is_a?(Fiber) && !owner.equal?(ActiveSupport::IsolatedExecutionState.context) &&
          (!owner.alive? || !owner.evented_starter.nil?)
      end
    end
  end
end
