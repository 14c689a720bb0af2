# frozen_string_literal: true

require "evented"
require "minitest"
require "minitest/test"

module Evented
  # `require "evented/minitest"` runs each test of Minitest, setup and teardown included, in a reactor with a time
  # limit, and has it fail if it leaves tasks, fibers or descriptors behind.
  #
  # @example
  #   class DownloadTest < Minitest::Test
  #     evented timeout: 5   # `evented false`: these tests run without a reactor
  #
  #     def test_both
  #       Evented { assert_equal "200", Net::HTTP.get_response(uri).code }
  #     end
  #   end
  module Minitest
    # Has every class of tests run them in here.
    #
    # @private
    module Inheritance
      # @private
      def inherited(subclass)
        super
        # Around whatever else wraps `run` in its ancestors, such as the executor of Rails.
        subclass.prepend(Run)
      end
    end

    # A test's run, in a reactor.
    #
    # @private
    module Run
      # @private
      def run
        # Inside already: a class further up wraps it as well.
        return super if @evented_example || (settings = self.class.evented_settings).nil?

        Minitest.disregard_idle_threads
        begin
          @evented_example = Testing.example("#{self.class}##{name}", location: evented_location, settings: settings,
                                                                      suite_seed: ::Minitest.seed)
          evented_late(@evented_example.run { super })
        ensure
          @evented_example = nil
        end
      end

      # @private
      def capture_exceptions(&)
        return super unless (example = @evented_example)

        super do
          yield
        rescue *::Minitest::Test::PASSTHROUGH_EXCEPTIONS
          raise
        rescue ::Minitest::Skip
          example.failed = true
          raise
        rescue Exception => e # rubocop:disable Lint/RescueException
          *others, last = example.explain(e).map { |error| evented_assertion(error) }
          others.each { |error| super { raise error, cause: error.cause } }
          raise last, cause: last.cause
        end
      end

      private

      # Adds what went wrong after the result had been made, or why there is none.
      def evented_late(result)
        seen = failures.size
        @evented_example.take_failures.each { |error| capture_exceptions { raise error } }
        (result || ::Minitest::Result.from(self)).tap { |full| full.failures |= failures.drop(seen) }
      end

      # A leak is a failure, rather than an error.
      def evented_assertion(error)
        return error unless error.is_a?(Testing::Leak)

        ::Minitest::Assertion.new(error.message).tap { |assertion| assertion.set_backtrace(error.backtrace) }
      end

      def evented_location
        place = method(name).source_location or return
        "#{place.join(":")}:in '#{name}'"
      rescue NameError
        nil
      end
    end
    private_constant :Inheritance, :Run

    # Those of Minitest's own that wait for parallel tests can't wake anybody: without this no deadlock would be found.
    #
    # @private
    def self.disregard_idle_threads
      return if @disregarded.equal?(::Minitest.parallel_executor)

      @disregarded = ::Minitest.parallel_executor
      threads = @disregarded.instance_variable_get(:@pool)
      threads.each { |thread| Testing.disregard(thread) } if threads.is_a?(Array)
    end

    ::Minitest::Test.send(:extend, Testing::ClassSettings, Inheritance)
    ::Minitest::Test.send(:prepend, Run)
  end
end
