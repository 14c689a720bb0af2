# frozen_string_literal: true

require_relative "../deferrable"
require_relative "limits"

module Evented
  module EM
    module Protocols
      # The client side of saslauthd's protocol.
      module SASLauthclient
        include Limits

        # Bytes that an answer may have; two bytes of length allow for half of it.
        MaxFieldSize = 128 * 1024

        # Nothing has been asked yet.
        def post_init
          super if defined?(super)
          @sasl_data = "".b
          @queries = []
        end

        # Asks whether a password is right. Questions may be asked before the former ones are answered.
        #
        # @param username [String]
        # @param psw [String]
        # @param sysname [String, nil] the service
        # @param realm [String, nil]
        # @return [EM::DefaultDeferrable] succeeds if it is; fails if it isn't, or if the connection ends
        # @raise [ArgumentError] if one of them is longer than 65535 bytes
        # @raise [TypeError] if one is no String
        def validate?(username, psw, sysname = nil, realm = nil)
          fields = [username, psw, sysname || "", realm || ""].map do |field|
            String.try_convert(field) || refuse(field)
          end
          too_long = fields.find { |field| field.bytesize > 65_535 }
          raise ArgumentError, "a field has 65535 bytes at most, not #{too_long.bytesize}" if too_long

          send_data(fields.map { |field| [field.bytesize].pack("n") << field.b }.join)
          DefaultDeferrable.new.tap { |query| (@queries ||= []).push(query) }
        end

        # @param data [String] what has come
        def receive_data(data)
          return if limits_violated?

          (@sasl_data ||= "".b) << data.b
          while (size = @sasl_data.unpack1("n")) && @sasl_data.bytesize >= size + 2
            answer = @sasl_data.byteslice(2, size)
            @sasl_data = @sasl_data.byteslice((size + 2)..)
            query = @queries&.shift or return limits_violate("an answer came to no question: #{answer.inspect}")

            answer.match?(/\AOK/i) ? query.succeed : query.fail
          end
        end

        # Nobody will answer any more.
        def unbind
          super if defined?(super)
          queries = @queries
          @queries = []
          queries&.each(&:fail)
        end

        private

        def refuse(field)
          raise TypeError, "a field is a String, not #{field.inspect}"
        end
      end
    end
  end
end
