# frozen_string_literal: true

module Evented
  module Testing
    # What classes of tests can do.
    module ClassSettings
      # Sets how the tests of this class, and of those that inherit from it, are run.
      #
      # @param settings [Boolean, Hash] see {Settings}; false: without a reactor
      # @return [void]
      # @raise [ArgumentError] if they make no sense
      def evented(settings = true) # rubocop:disable Style/OptionalBooleanParameter
        Testing.settings.changed_by(settings)
        @evented = settings
      end

      # @private
      def evented_settings
        inherited = superclass.respond_to?(:evented_settings) ? superclass.evented_settings : Testing.settings
        return inherited unless defined?(@evented)

        (inherited || Testing.settings).changed_by(@evented)
      end
    end
  end
end
