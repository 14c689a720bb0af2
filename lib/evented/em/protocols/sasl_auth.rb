# frozen_string_literal: true

require_relative "limits"

module Evented
  module EM
    module Protocols
      # The server side of saslauthd's protocol: a request is a name, a password, a service and a realm, each with its
      # length in front; the answer is OK or NO.
      module SASLauth
        include Limits

        # As in EventMachine; two bytes of length allow for half of it.
        MaxFieldSize = 128 * 1024

        # Nothing has come yet.
        def post_init
          super if defined?(super)
          @sasl_data = "".b
          @sasl_values = []
        end

        # @param data [String] what has come
        def receive_data(data)
          (@sasl_data ||= "".b) << data.b
          @sasl_values ||= []
          while (size = @sasl_data.unpack1("n")) && @sasl_data.bytesize >= size + 2
            @sasl_values << @sasl_data.byteslice(2, size)
            @sasl_data = @sasl_data.byteslice((size + 2)..)
            sasl_answer if @sasl_values.size == 4
          end
        end

        # Whether that password is right. **Lets everybody in unless it is redefined.**
        #
        # @param username [String]
        # @param psw [String]
        # @param sysname [String] the service
        # @param realm [String]
        # @return [Boolean]
        def validate(username, psw, sysname, realm) # rubocop:disable Lint/UnusedMethodArgument
          true
        end

        private

        def sasl_answer
          values = @sasl_values
          @sasl_values = []
          answer = validate(*values) ? "OK" : "NO"
          send_data([answer.bytesize].pack("n") << answer)
        end
      end
    end
  end
end
