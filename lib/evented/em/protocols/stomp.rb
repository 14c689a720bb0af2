# frozen_string_literal: true

require_relative "line_text2"

module Evented
  module EM
    module Protocols
      # A client of message brokers: STOMP 1.0.
      #
      # @example
      #   module Client
      #     include EM::P::Stomp
      #
      #     def connection_completed = connect(login: "guest", passcode: "guest")
      #
      #     def receive_msg(msg)
      #       msg.command == "CONNECTED" ? subscribe("/some/topic") : puts(msg.body)
      #     end
      #   end
      module Stomp
        include LineText2

        autoload :Message, "#{__dir__}/stomp/message"

        # What a frame ends with.
        NUL = "\0"
        private_constant :NUL

        # Sends any frame.
        #
        # @param verb [String] its command
        # @param headers [Hash{#to_s => #to_s}]
        # @param body [#to_s]
        # @return [Integer] as of `send_data`
        def send_frame(verb, headers = {}, body = "")
          body = body.to_s
          lines = headers.map { |name, value| "#{name}:#{value}" }
          lines.unshift(verb)
          lines << "content-length: #{body.bytesize}" << "content-type: text/plain; charset=UTF-8"
          send_data(lines.join("\n").b << "\n\n" << body.b << NUL)
        end

        # @param msg [Stomp::Message] a frame that has come
        def receive_msg(msg); end

        # @param parms [Hash] headers: `login`, `passcode`
        def connect(parms = {}) = send_frame("CONNECT", parms)

        # Sends a message.
        #
        # @param destination [String]
        # @param body [#to_s]
        # @param parms [Hash] more headers
        def send(destination, body, parms = {}) = send_frame("SEND", parms.merge(destination: destination), body)

        # @param dest [String]
        # @param ack [Boolean] whether every message is to be acknowledged with {#ack}
        def subscribe(dest, ack = false)
          send_frame("SUBSCRIBE", { destination: dest, ack: ack ? "client" : "auto" })
        end

        # @param msgid [String] the header `message-id` of a message
        def ack(msgid) = send_frame("ACK", { "message-id": msgid })

        # Has a new frame expected.
        def init_message_reader
          @stomp_initialized = true
          @stomp_unsized = false
          @stomp_size = 0
          set_delimiter("\n")
          set_line_mode
          @stomp_message = Message.new
        end

        # @param line [String] of a frame's header; or its body, if its length was not known
        def receive_line(line)
          init_message_reader unless @stomp_initialized
          return stomp_deliver(line) if @stomp_unsized

          @stomp_size += line.bytesize
          return limits_violate("a header is longer than #{max_line_length} bytes") if @stomp_size > max_line_length

          @stomp_message.consume_line(line) do |kind, size|
            kind == :sized_text ? stomp_expect(size) : stomp_expect_any
          end
        end

        # @param data [String] a frame's body, and what it ends with
        def receive_binary_data(data)
          return limits_violate("a body doesn't end where its content-length says") unless data.end_with?(NUL)

          stomp_deliver(data.byteslice(0...-1))
        end

        private

        def stomp_expect(size)
          return set_binary_mode(size) if size.positive? && size - 1 <= max_content_length

          limits_violate("a content-length is no number from 0 to #{max_content_length} (max_content_length)")
        end

        def stomp_expect_any
          @stomp_unsized = true
          set_delimiter(NUL)
        end

        def stomp_deliver(body)
          message = @stomp_message
          init_message_reader
          message.body = body
          receive_msg(message)
        end
      end
    end
  end
end
