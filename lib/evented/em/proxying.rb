# frozen_string_literal: true

module Evented
  # Relaying.
  module EM
    class << self
      # Has everything that comes to a connection be sent by another, natively.
      #
      # @param from [Connection, Integer] or its signature
      # @param to [Connection, Integer] or its signature
      # @param bufsize [Integer] bytes that may be unsent before `from` is not read; 0 for no limit
      # @param length [Integer] bytes after which that ends (`proxy_completed`); 0 for no limit
      # @raise [EM::ConnectionError] if one of them has ended, or `to` has another source
      def enable_proxy(from, to, bufsize = 0, length = 0)
        start_proxy(signature_of(from), signature_of(to), bufsize, length)
      end

      # Has what comes be handed to `receive_data` again.
      def disable_proxy(from) = stop_proxy(signature_of(from))

      # As {enable_proxy}, with signatures.
      def start_proxy(from, to, bufsize, length)
        case __start_proxy(from, to, bufsize, length)
        when :busy then raise ConnectionError, "Tried to proxy to a busy target"
        when :none then raise ConnectionError, "Tried to proxy to an invalid descriptor"
        end
      end

      # As {disable_proxy}, with a signature.
      def stop_proxy(from)
        __stop_proxy(from)
        nil
      end

      private

      def signature_of(connection) = connection.respond_to?(:signature) ? connection.signature : connection
    end
  end
end
