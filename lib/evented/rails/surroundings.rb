# frozen_string_literal: true

module Evented
  # (See lib/evented/rails.rb.)
  module Rails
    # Whose state this is: what Active Support asks instead of Fiber. The root task of a reactor shares the state of who
    # started it, who waits meanwhile: its transaction, its connection, its Current.
    #
    # @private
    module Scope
      class << self
        # @return [Fiber]
        # @threadsafe yes
        def current
          fiber = Fiber.current
          fiber.evented_caller || fiber
        end

        # @return [true]
        # @threadsafe yes
        def install
          return true if ActiveSupport::IsolatedExecutionState.scope.equal?(self)

          ActiveSupport::IsolatedExecutionState.instance_variable_set(:@scope, self)
          true
        end
      end
    end

    Fiber.attr_accessor :evented_caller, :evented_starter

    # What tasks run in: see {Task.surroundings}.
    #
    # @private
    module Surroundings
      # Of a root task.
      class Shared
        def initialize(context)
          @context = context
        end

        # @return [Object] the block's value
        # @suspends if the block does
        def run
          fiber = Fiber.current
          fiber.evented_caller = @context
          Stalls.watch(Task.current)
          yield
        ensure
          fiber.evented_caller = nil
        end
      end

      # Of all others: copies, so that neither changes what the other has.
      class Copied
        # How long a cancelled task may take to give back what it has, in seconds.
        CLEAN_UP = 5
        KEYS = %i[time_zone beginning_of_week active_record_connected_to_stack active_record_prevent_writes
                  active_record_prohibit_shard_swapping].freeze
        TAGS = "activesupport_tagged_logging_tags"
        private_constant :CLEAN_UP, :KEYS, :TAGS

        def initialize(starter)
          @starter = starter
          @wrap = wrap
          @attributes = CurrentAttributes.copies
          @execution = ActiveSupport::ExecutionContext.to_h
          @state = copy_of(starter.active_support_execution_state || {})
        end

        # @return [Object] the block's value
        # @suspends if the block does, and while code is reloaded
        def run(&)
          fiber = Fiber.current
          fiber.evented_starter = @starter
          @wrap ? wrapped(&) : restored(&)
        ensure
          Evented.shield(timeout: CLEAN_UP) { Connections.release }
          fiber.evented_starter = nil
          ActiveSupport::IsolatedExecutionState.clear
        end

        private

        # Who reloads waits for all who run, and so for the starter: below one that is wrapped nobody does.
        def wrap
          return unless Rails.wrap && (application = defined?(::Rails.application) && ::Rails.application)

          Rails.wrap == :executor || application.executor.active? ? [application.executor] : both(application)
        end

        def both(application) = [application.executor, application.reloader]

        # As ExecutionWrapper.wrap does it, but that a cancellation is no error to be reported.
        def wrapped(&)
          running = {}
          @wrap.each { |wrapper| running[wrapper] = wrapper.run! }
          restored(&)
        rescue StandardError, ScriptError => e
          ActiveSupport.error_reporter&.report(e, handled: false, source: "evented")
          raise
        ensure
          Evented.shield(timeout: CLEAN_UP) { running.reverse_each { |wrapper, instance| complete(wrapper, instance) } }
        end

        # Unless a middleware has taken it for one that was lost, and completed it.
        def complete(wrapper, instance)
          current = ActiveSupport::IsolatedExecutionState[wrapper.active_key]
          return unless current.nil? ? instance.equal?(ActiveSupport::ExecutionWrapper::Null) : current.equal?(instance)

          instance.complete!
        end

        # What runs first in a wrapper resets all of it.
        def restored
          ActiveSupport::ExecutionContext.set(**@execution) if @execution.any?
          CurrentAttributes.replace(@attributes)
          @state.each { |key, value| ActiveSupport::IsolatedExecutionState[key] = value }
          yield
        end

        def copy_of(state)
          kept = state.select { |key, _| KEYS.include?(key) || (key.is_a?(String) && key.start_with?(TAGS)) }
          kept.to_h do |key, value|
            next [key, value.is_a?(Array) ? value.dup : value] unless key.is_a?(String)

            [key, value.class.new.tap { |stack| stack.push_tags(value.tags) }]
          end
        end
      end

      # The instances that hold the attributes of each class.
      module CurrentAttributes
        class << self
          # @return [Hash]
          def copies
            instances.transform_values do |instance|
              instance.dup.tap { |copy| copy.attributes = instance.attributes.dup }
            end
          end

          # @return [void]
          def replace(copies) = instances.replace(copies)

          private

          def instances = ActiveSupport::CurrentAttributes.__send__(:current_instances)
        end
      end

      class << self
        # @param task [Evented::Task] that is about to be started by the current fiber
        # @return [Shared, Copied, nil]
        # @raise [Evented::Rails::IsolationError]
        def for(task)
          return if Stalls.part_of?(task) || !Rails.check_isolation

          context = ActiveSupport::IsolatedExecutionState.context
          # A root's starter does nothing else until it has ended. One in a scheduler that was set by hand may.
          task.equal?(task.scheduler.root) ? Shared.new(context) : Copied.new(context)
        end
      end
    end
    private_constant :Surroundings
  end
end
