# frozen_string_literal: true

module Evented
  module Testing
    # How an example is run: {Testing.configure} for all of them, `evented: { … }` in RSpec's metadata, `evented …` in
    # a class of Minitest or test-unit.
    #
    # @!attribute [r] timeout
    #   @return [Numeric, nil] seconds an example may take, with its setup and teardown; nil for as long as it takes
    # @!attribute [r] leaks
    #   @return [Array<Symbol>] what must not be left over: some of `:tasks`, `:fibers`, `:descriptors`; true and false
    #     stand for all and none
    # @!attribute [r] allow
    #   @return [Array<Regexp, #===>] what may be left over all the same: a Regexp is matched against its description,
    #     anything else (a class, a lambda) against the task, fiber or IO
    # @!attribute [r] shuffle
    #   @return [Boolean] whether each example has an order of fibers of its own, derived from the suite's seed
    Settings = Data.define(:timeout, :leaks, :allow, :shuffle) do
      # @raise [ArgumentError] if one of them makes no sense
      def initialize(timeout: 60, leaks: true, allow: [], shuffle: false)
        leaks = leaks == true ? Settings::LEAKS : Array(leaks || [])
        unless timeout.nil? || (timeout.is_a?(Numeric) && timeout.real? && timeout.positive?)
          raise ArgumentError, "the timeout of an example is a positive number of seconds or nil, not " \
                               "#{timeout.inspect}"
        end
        if (unknown = leaks - Settings::LEAKS).any?
          raise ArgumentError, "unknown leaks #{unknown.inspect}: #{Settings::LEAKS.inspect}, true and false are known"
        end
        if (text = Array(allow).grep(String).first)
          raise ArgumentError, "allow: takes a Regexp, a class or a lambda; for this text, /#{Regexp.escape(text)}/"
        end

        super(timeout: timeout, leaks: leaks, allow: Array(allow), shuffle: shuffle)
      end

      # @param change [true, false, nil, Hash, Settings] true and nil change nothing; false: no reactor
      # @return [Settings, nil]
      # @raise [ArgumentError] if it is something else, or holds an unknown key
      # @private
      def changed_by(change)
        case change
        when true, nil then self
        when false then nil
        when Settings then change
        when Hash then with(**change)
        else raise ArgumentError, "true, false or settings such as { timeout: 5 } are known, not #{change.inspect}"
        end
      end

      # @return [Boolean]
      # @private
      def allow?(object, description)
        allow.any? do |pattern|
          pattern.is_a?(Regexp) ? pattern.match?(description) : pattern === object # rubocop:disable Style/CaseEquality
        end
      end
    end
    # Whatever can be left over.
    Settings::LEAKS = %i[tasks fibers descriptors].freeze
  end
end
