# frozen_string_literal: true

require_relative "line_text2"

module Evented
  module EM
    module Protocols
      # An older {LineText2}, as a class. A subclass may have a `receive_error(message)`: it is called before the
      # connection is closed because a line is too long, or because `receive_line` raised.
      class LineAndTextProtocol < Connection
        include LineText2

        # Bytes that a line may have, unless {#max_line_length=} says otherwise: EventMachine's limit.
        MaxLineLength = 16 * 1024
        # Bytes that may be asked for with {#set_binary_mode}.
        MaxBinaryLength = 32 * 1024 * 1024

        # @param arguments what was given after the handler
        def initialize(*arguments)
          super
          lbp_init_line_state
        end

        # @param data [String] what has come
        def receive_data(data)
          super
        rescue StandardError => e
          @limits_violated = true
          receive_error(e.message) if respond_to?(:receive_error)
          close_connection
        end

        # Has the next bytes come to `receive_binary_data`.
        #
        # @param size [Integer, nil] bytes, whole; nil for all that comes, in pieces as they come; 0 for an empty text
        #   at once
        # @raise [RuntimeError] if that is more than {MaxBinaryLength}
        def set_binary_mode(size = nil)
          raise "Overlength" if size.to_i > MaxBinaryLength

          return receive_binary_data("") if size&.zero?

          set_text_mode(size&.positive? ? size : nil)
        end

        # @return [Integer] bytes that a line may have: {MaxLineLength} unless it was set
        def max_line_length = @limits_line || MaxLineLength

        # @param violation [EM::Protocols::Violation]
        def receive_violation(violation)
          receive_error("overlength line") if respond_to?(:receive_error)
          super
        end

        private

        def lbp_init_line_state = set_line_mode
      end
    end
  end
end
