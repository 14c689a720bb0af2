# frozen_string_literal: true

module Evented
  module EM
    module DNS
      # What a reactor asks name servers with, and where their answers come. It looks after the open questions as long
      # as there are any.
      class Socket < Connection
        # Seconds between two looks at the open questions.
        TICK = 0.1
        # RFC 1035, section 4.1.1: where the flag is that an answer was cut off.
        FLAGS = 2
        TRUNCATED = 0x02
        private_constant :TICK, :FLAGS, :TRUNCATED

        # For name servers that are reached with IPv6.
        #
        # @private
        class V6 < Connection
          # @param socket [Socket] where answers go
          def initialize(socket)
            super()
            @socket = socket
          end

          # @private
          def receive_data(data) = @socket.receive_answer(data, get_peername)
        end
        private_constant :V6

        # @return [Socket]
        # @raise [RuntimeError] if no reactor runs
        def self.open = EM.open_datagram_socket("0.0.0.0", 0, self)

        # @private
        def initialize
          super
          @nameserver = nil
          @requests = {}
          @timer = @v6 = nil
        end

        # Where questions go instead of to one of the system's servers.
        attr_writer :nameserver

        # @return [String, nil] an address
        def nameserver
          @nameserver ||= Resolver.nameserver
        end

        # @param id [Integer] of its message, 16 bits
        # @param request [Request]
        # @raise [EM::DNS::RequestIdAlreadyUsed] if another open question has this id
        # @private
        def register_request(id, request)
          raise RequestIdAlreadyUsed, "a question with the id #{id} is open" if @requests.key?(id)

          start_timer
          @requests[id] = request
        end

        # @private
        def deregister_request(id, _request)
          @requests.delete(id)
          stop_timer if @requests.empty?
        end

        # @private
        def start_timer
          @timer ||= EM.add_periodic_timer(TICK) { tick } # rubocop:disable Naming/MemoizedInstanceVariableName
        end

        # @private
        def stop_timer
          @timer&.cancel
          @timer = nil
        end

        # @private
        def tick
          @requests.values.each(&:tick) # rubocop:disable Style/HashEachMethods
        end

        # @param packet [String]
        # @private
        def send_packet(packet)
          server = nameserver.to_s
          through = server.include?(":") ? v6 : self
          through.send_datagram(packet, server, Resolver.nameserver_port)
        rescue ConnectionError
          # Asked again later, until there were tries enough.
        end

        # @private
        def receive_data(data) = receive_answer(data, get_peername)

        # Whoever knows the port can send anything; only an answer of the server to an open question counts.
        #
        # @private
        def receive_answer(data, sender)
          return unless from_server?(sender)

          message = Resolv::DNS::Message.decode(whole(data))
          @requests[message.id]&.receive_answer(message)
        rescue Resolv::DNS::DecodeError, ArgumentError, EncodingError
          # No message.
        end

        # @private
        def unbind
          stop_timer
          Resolver.forget(self)
        end

        private

        # The addresses that came are good ones, though there are more than fit. (Resolv reads nothing of what says so.)
        def whole(data)
          data.setbyte(FLAGS, data.getbyte(FLAGS) & ~TRUNCATED) if data.bytesize > FLAGS
          data
        end

        def v6 = @v6 ||= EM.open_datagram_socket("::", 0, V6, self)

        def from_server?(sender)
          return true unless sender

          ::Socket.unpack_sockaddr_in(sender).last.sub(/%.*/, "") == nameserver.to_s.sub(/%.*/, "")
        end
      end
    end
  end
end
