# frozen_string_literal: true

require "securerandom"

module Evented
  module EM
    module DNS
      # One question: {Resolver.resolve}. It is asked in the next pass, so that its settings can be changed before.
      class Request
        include Deferrable

        # As many octets as a name, and as a label of it, may have (RFC 1035, section 2.3.4).
        NAME = 255
        LABEL = 63
        private_constant :NAME, :LABEL

        # @return [Numeric] seconds until it is asked again
        attr_accessor :retry_interval
        # @return [Integer] how often it is asked
        attr_accessor :max_tries

        # @param socket [Socket]
        # @param hostname [String]
        # @raise [ArgumentError] if that is no String
        def initialize(socket, hostname)
          @name = name_of(hostname)
          @socket = socket
          @hostname = hostname
          @tries = 0
          @last_send = nil
          @retry_interval = 3
          @max_tries = 5
          EM.next_tick { begin_to_ask }
        end

        # Asks again, or gives up, if there was no answer in time.
        #
        # @private
        def tick
          return if @last_send && Evented.clock - @last_send < @retry_interval

          if @tries < @max_tries
            ask
          else
            settle_with(:failed, "retries exceeded")
          end
        end

        # @param message [Resolv::DNS::Message]
        # @private
        def receive_answer(message)
          return unless answer?(message)

          addresses = message.answer.filter_map { |_, _, data| data.address.to_s if data.respond_to?(:address) }
          if addresses.empty?
            settle_with(:failed, "rcode=#{message.rcode}")
          else
            settle_with(:succeeded, addresses)
          end
        end

        private

        def begin_to_ask
          if (addresses = Resolver.hosts[@hostname])
            succeed(addresses)
          elsif too_long?
            fail("#{@hostname.inspect} is no name of a host")
          else
            tick
          end
        end

        # @return [Resolv::DNS::Name, nil] nil for what newer versions of Resolv call too long themselves
        def name_of(hostname)
          Resolv::DNS::Name.create(hostname.is_a?(String) ? hostname.b : hostname)
        rescue Resolv::ResolvError
          nil
        end

        def too_long?
          return true unless @name

          labels = @name.to_a.map { |label| label.to_s.bytesize }
          labels.any? { |size| !size.between?(1, LABEL) } || labels.sum { |size| size + 1 } >= NAME
        end

        def ask
          id
          @tries += 1
          @last_send = Evented.clock
          @socket.send_packet(packet.encode)
        end

        # Hard to guess for who would like to answer instead of the server.
        def id
          @id ||= begin
            id = SecureRandom.random_number(0x10000)
            @socket.register_request(id, self)
            id
          rescue RequestIdAlreadyUsed
            retry
          end
        end

        def packet
          message = Resolv::DNS::Message.new(id)
          message.rd = 1
          message.add_question(@name, Resolv::DNS::Resource::IN::A)
          message
        end

        # Whether that is one to this question. (Servers may leave the question out.)
        def answer?(message)
          message.qr == 1 && message.question.all? do |name, type|
            name.to_s.casecmp?(@name.to_s) && type == Resolv::DNS::Resource::IN::A
          end
        end

        def settle_with(status, result)
          @socket.deregister_request(@id, self)
          set_deferred_status(status, result)
        end
      end
    end
  end
end
