# frozen_string_literal: true

module Evented
  module EM
    module Protocols
      # What a peer sent can't be taken: it breaks the protocol, or is longer than allowed. Its `cause` says more where
      # there is more to say.
      class Violation < RuntimeError; end

      # How much of a thing a parser takes, and what becomes of a peer that doesn't keep to it.
      module Limits
        # @return [Integer] bytes that a line may have, 32 MiB unless it was set
        def max_line_length = @limits_line || (32 * 1024 * 1024)

        # @param bytes [Integer]
        def max_line_length=(bytes)
          @limits_line = bytes
        end

        # @return [Integer] bytes that may be announced for one content, object or body, 256 MiB unless it was set
        def max_content_length = @limits_content || (256 * 1024 * 1024)

        # @param bytes [Integer]
        def max_content_length=(bytes)
          @limits_content = bytes
        end

        # The peer broke the protocol, and nothing more is taken from it. Closes the connection; a class that can't be
        # closed, because it is no connection, raises the error. Redefine it to log, and call `super`.
        #
        # @param violation [EM::Protocols::Violation] why
        # @raise [EM::Protocols::Violation] without a `close_connection`
        def receive_violation(violation)
          raise violation unless respond_to?(:close_connection)

          close_connection
        end

        private

        def limits_violate(message)
          @limits_violated = true
          receive_violation(Violation.new(message))
        end

        # Data that came before the connection is closed is not looked at.
        def limits_violated? = @limits_violated == true
      end
    end
  end
end
