# frozen_string_literal: true

require_relative "limits"

module Evented
  module EM
    module Protocols
      # Sends and receives Ruby objects: four bytes of length, and the object as {#serializer} writes it. Works in any
      # class.
      #
      # **Marshal, the default, must never read what an untrusted peer sent: such data can run any code.** Where that is
      # possible, give another serializer:
      #
      # @example
      #   module Server
      #     include EM::P::ObjectProtocol
      #
      #     def serializer = JSON
      #     def receive_object(object) = send_object({"you said" => object})
      #   end
      module ObjectProtocol
        include Limits

        # @return [#dump, #load]
        def serializer = Marshal

        # @param data [String] what has come
        def receive_data(data)
          return if limits_violated?

          (@buf ||= "".b) << data.b
          while !limits_violated? && (size = @buf.unpack1("N"))
            if size > max_content_length
              return op_refuse("an object of #{size} bytes is announced, more than #{max_content_length} " \
                               "(max_content_length)")
            end
            break if @buf.bytesize < size + 4

            frame = @buf.byteslice(4, size)
            @buf = @buf.byteslice((size + 4)..)
            loaded, object = op_load(frame)
            receive_object(object) if loaded
          end
        end

        # @param obj [Object] what was sent
        def receive_object(obj); end

        # @param obj [Object]
        # @return [Integer] as of `send_data`
        # @raise what the serializer raises for what it can't write
        def send_object(obj)
          data = serializer.dump(obj)
          send_data([data.bytesize].pack("N") << data.b)
        end

        private

        # @return [Array] whether it could be loaded, and the object
        def op_load(frame)
          [true, serializer.load(frame)]
        rescue StandardError, SystemStackError => e
          op_refuse("an object can't be loaded: #{e.message}")
          [false, nil]
        end

        def op_refuse(message)
          @buf = nil
          limits_violate(message)
        end
      end
    end
  end
end
