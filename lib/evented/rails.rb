# frozen_string_literal: true

require "active_support"
require "active_support/current_attributes"
require "active_support/execution_context"
require "active_support/isolated_execution_state"
require "active_support/lazy_load_hooks"
require "active_support/notifications"
require "evented"
require_relative "rails/connection_lock"
require_relative "rails/connections"
require_relative "rails/mends"
require_relative "rails/pool_permits"
require_relative "rails/share_lock"
require_relative "rails/stalls"
require_relative "rails/surroundings"
require_relative "rails/transactions"

module Evented
  # `require "evented/rails"` makes Rails and Active Record, from 7.2 on, right for many fibers on one thread: see
  # `docs/guides/rails.md` for what it changes, and {Railtie} for the settings.
  module Rails
    autoload :Doctor, "#{__dir__}/rails/doctor"
    autoload :TestHelper, "#{__dir__}/rails/test_helper"

    # Active Record would let all fibers of a thread use one connection at the same time.
    class IsolationError < Error; end

    # This Rails is too old.
    class VersionError < Error; end

    # The oldest Rails that lends a connection for one query, rather than for the rest of a request.
    OLDEST = "7.2"

    @wrap = :executor
    @allow_thread_isolation = false

    class << self
      # @return [:executor, :reloader, false] what a task is wrapped in whose starter is not wrapped already
      attr_reader :wrap

      # @return [Boolean] whether tasks may run although the isolation level is `:thread`
      attr_reader :allow_thread_isolation

      # What the Railtie does, for programs that use Active Record without an application of Rails.
      #
      # @param wrap [:executor, :reloader, false]
      # @param back_pressure [Boolean] whether who wants a connection waits in line for one
      # @param allow_thread_isolation [Boolean]
      # @param stall_after [Numeric, nil] seconds after which a reactor whose thread is kept busy is reported; nil for
      #   never
      # @return [void]
      # @raise [Evented::Rails::VersionError] if Rails is too old
      # @threadsafe no
      def setup(wrap: :executor, back_pressure: true, allow_thread_isolation: false, stall_after: 1)
        check_version
        unless [:executor, :reloader, false].include?(wrap)
          raise ArgumentError, "config.evented.wrap has to be :executor, :reloader or false, not #{wrap.inspect}"
        end

        @wrap = wrap
        @allow_thread_isolation = allow_thread_isolation
        Stalls.threshold = Arguments.timeout(stall_after)
        ShareLock.mend
        ActiveSupport.on_load(:active_record) do
          Connections.loaded
          Mends.install
          Connections.install if back_pressure
        end
        Task.surroundings = Surroundings
      end

      # Refuses what would corrupt data; says how to go on.
      #
      # @return [Boolean] whether each fiber has a state of its own
      # @raise [Evented::Rails::IsolationError]
      # @threadsafe yes
      def check_isolation
        level = ActiveSupport::IsolatedExecutionState.isolation_level
        return Scope.install if level == :fiber
        return false if @allow_thread_isolation || !defined?(ActiveRecord::Base)

        raise IsolationError, <<~TEXT.tr("\n", " ").strip
          config.active_support.isolation_level is :#{level}: all fibers of a thread would use the same database
          connection at the same time, and get each other's rows. Remove that setting (evented/rails sets :fiber), or
          set config.evented.allow_thread_isolation = true if no task ever uses Active Record.
        TEXT
      end

      private

      def check_version
        return if ActiveSupport.version >= Gem::Version.new(OLDEST)

        raise VersionError, "evented/rails needs Rails #{OLDEST} or newer, and this is #{ActiveSupport.version}: " \
                            "before that a fiber kept its connection after each query. Update Rails, or use evented " \
                            "without this."
      end
    end
  end
end

require_relative "rails/railtie" if defined?(Rails::Railtie)
