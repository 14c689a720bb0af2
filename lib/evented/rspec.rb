# frozen_string_literal: true

require "evented"
require "rspec/core"

module Evented
  # `require "evented/rspec"` runs the examples and groups that have the metadata `:evented`, hooks included, in a
  # reactor with a time limit, and has them fail if they leave tasks, fibers or descriptors behind.
  #
  # @example
  #   RSpec.describe Downloads, :evented do
  #     it "takes both", evented: { timeout: 5 } do
  #       Evented { expect(Net::HTTP.get_response(uri).code).to eq "200" }
  #     end
  #   end
  # @example All examples, but for those with `evented: false`
  #   RSpec.configure { |config| config.evented = true }
  module RSpec
    # Values of `let` and `subject` for several fibers. RSpec's own lock covers all names of an example at once, so a
    # `let` whose block waits for a task that asks for another one would wait for ever; and who is cancelled while
    # waiting for it ends in a ThreadError.
    #
    # @private
    class Memory
      # @private
      def initialize
        @values = {}
        @locks = {}
        @lock = Thread::Mutex.new
      end

      # @return [Object] the block's value, which is asked for once a name
      # @suspends while another fiber is in the block for the same name
      # @threadsafe yes
      def fetch_or_store(name, &)
        @values.fetch(name) do
          lock = @lock.synchronize { @locks[name] ||= Thread::Mutex.new }
          # `super()` in an overriding `let` comes back to the name.
          lock.owned? ? store(name, &) : lock.synchronize { @values.fetch(name) { store(name, &) } }
        end
      end

      private

      def store(name) = @values[name] = yield
    end

    # What RSpec calls to get a new memory for an example.
    #
    # @private
    module Remembering
      private

      def __init_memoized
        super
        # Who has switched RSpec's lock off wants none.
        @__memoized = Memory.new if ::RSpec.configuration.threadsafe?
      end
    end
    private_constant :Memory, :Remembering

    class << self
      # @private
      def run(procsy)
        settings = settings_for(procsy) or return procsy.run
        example = Testing.example(procsy.full_description, location: procsy.location, settings: settings,
                                                           suite_seed: ::RSpec.configuration.seed)
        example.run do
          procsy.run
          example.failed = procsy.example.exception || procsy.example.pending?
          example.check
        end
        note(procsy, example)
        skips, failures = example.take_failures.flat_map { |error| example.parts(error) }
                                 .partition { |error| error.is_a?(::RSpec::Core::Pending::SkipDeclaredInExample) }
        skipped_late(procsy.example) if skips.any?
        raise failures.size > 1 ? ::RSpec::Core::MultipleExceptionError.new(*failures) : failures.first if failures.any?
      end

      private

      def settings_for(example)
        everywhere = ::RSpec.configuration.evented
        inherited = Testing.settings.changed_by(everywhere)
        here = example.metadata.fetch(:evented, everywhere ? true : false)
        here == false ? nil : (inherited || Testing.settings).changed_by(here)
      end

      # By a task that nobody waited for: RSpec takes it for an example that was to fail, and did not.
      def skipped_late(example)
        return unless example.execution_result.pending_fixed?

        example.display_exception = ::RSpec::Core::Pending::SkipDeclaredInExample.new(nil)
        example.execution_result.pending_exception = nil
      end

      # How RSpec is told to print a line with a failure.
      def note(procsy, example)
        return unless example.note

        procsy.metadata[:extra_failure_lines] = [*procsy.metadata[:extra_failure_lines], example.note]
      end
    end

    ::RSpec.configure do |config|
      config.add_setting :evented, default: false
      config.around { |example| Evented::RSpec.run(example) }
    end
    ::RSpec::Core::ExampleGroup.send(:prepend, Remembering)
  end
end
