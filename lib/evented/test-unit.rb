# frozen_string_literal: true

require "evented"
require "test/unit/testcase"

module Evented
  # `require "evented/test-unit"` runs each test of test-unit, setup, cleanup and teardown included, in a reactor with a
  # time limit, and has it fail if it leaves tasks, fibers or descriptors behind.
  #
  # @example
  #   class DownloadTest < Test::Unit::TestCase
  #     evented timeout: 5   # `evented false`: these tests run without a reactor
  #
  #     test "both" do
  #       Evented { assert_equal "200", Net::HTTP.get_response(uri).code }
  #     end
  #   end
  module TestUnit
    # A test's run, in a reactor.
    #
    # @private
    module Run
      NO_FAILURES = [::Test::Unit::PendedError, ::Test::Unit::OmittedError, SystemExit, SignalException,
                     NoMemoryError].freeze
      private_constant :NO_FAILURES

      # @private
      def run(context, &)
        settings = self.class.evented_settings or return super
        @evented_example = Testing.example(name, location: evented_location, settings: settings)
        begin
          @evented_example.run { super }
          evented_late
        ensure
          @evented_example = nil
        end
      end

      private

      # The last that a test does itself.
      def run_teardown
        super
        return unless @evented_example

        @evented_example.check
        evented_late
      end

      def evented_late
        @evented_example.take_failures.each { |error| handle_exception(error) || raise(error) }
      end

      def handle_exception(exception)
        return super unless @evented_example
        return (@evented_example.failed = true) && super if NO_FAILURES.any? { |kind| exception.is_a?(kind) }

        @evented_example.explain(exception).map do |error|
          next super(error) unless error.is_a?(Testing::Leak)

          # A failure, rather than an error.
          problem_occurred
          add_failure(error.message, error.backtrace)
          true
        end.all?
      end

      def evented_location
        place = method(method_name).source_location or return
        "#{place.join(":")}:in '#{method_name}'"
      rescue NameError
        nil
      end
    end
    private_constant :Run

    ::Test::Unit::TestCase.send(:extend, Testing::ClassSettings)
    ::Test::Unit::TestCase.send(:prepend, Run)
  end
end
