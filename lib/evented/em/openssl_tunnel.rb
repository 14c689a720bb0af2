# frozen_string_literal: true

require "openssl"

module Evented
  module EM
    # TLS by Ruby's OpenSSL (`tls_backend: :openssl`), for protocols and ciphers that rustls does not speak any more.
    #
    # An SSLSocket wants a descriptor of its own: it has one end of a pair of sockets. What the connection receives is
    # relayed to the other end, and back, by the native half; a fiber reads what was decrypted, and another one writes.
    # So timeouts, addresses and the rest stay those of the connection.
    #
    # @private
    class OpenSSLTunnel
      VERSIONS = { EM_PROTO_SSLv3 => OpenSSL::SSL::SSL3_VERSION, EM_PROTO_TLSv1 => OpenSSL::SSL::TLS1_VERSION,
                   EM_PROTO_TLSv1_1 => OpenSSL::SSL::TLS1_1_VERSION, EM_PROTO_TLSv1_2 => OpenSSL::SSL::TLS1_2_VERSION,
                   EM_PROTO_TLSv1_3 => OpenSSL::SSL::TLS1_3_VERSION }.freeze
      PIECE = 16 * 1024
      # A server that sends no tickets is not waited for longer, in seconds.
      TICKETS = 2
      private_constant :VERSIONS, :PIECE, :TICKETS

      # The connection's methods, while there is a tunnel. Prepended when the first one begins: nobody else pays for it.
      #
      # @private
      module Connected
        # rubocop:disable Style/DocumentationMethod -- they are the connection's own
        def send_data(data) = @openssl_tunnel ? @openssl_tunnel.send_data(data.to_s) : super

        def close_connection(after_writing = false)
          return super unless @openssl_tunnel

          after_writing ? @openssl_tunnel.close_after_writing { super(true) } : @openssl_tunnel.close { super(false) }
        end

        def get_outbound_data_size = super + (@openssl_tunnel ? @openssl_tunnel.unsent : 0)
        def get_peer_cert = @openssl_tunnel ? @openssl_tunnel.socket.peer_cert&.to_pem : super
        def get_cipher_name = @openssl_tunnel ? @openssl_tunnel.cipher(0) || "(NONE)" : super
        def get_cipher_bits = @openssl_tunnel ? @openssl_tunnel.cipher(2) : super
        def get_cipher_protocol = @openssl_tunnel ? @openssl_tunnel.protocol : super
        def get_sni_hostname = @openssl_tunnel ? @openssl_tunnel.server_name : super
        def alpn_protocol = @openssl_tunnel ? @openssl_tunnel.socket.alpn_protocol : super
        def tls_error = @openssl_error || super

        # rubocop:enable Style/DocumentationMethod

        # @private
        def __sends_files? = !@openssl_tunnel && super

        # @private
        def __tunnel(tunnel, error = nil)
          if tunnel && @openssl_tunnel
            raise "call SetTlsParms before calling StartTls: TLS has begun on this connection already"
          end

          @openssl_tunnel = tunnel
          @openssl_error = error
        end
      end

      # Whom the native half calls in the connection's stead.
      #
      # @private
      class Gate
        # rubocop:disable Style/DocumentationMethod -- they are a connection's
        alias original_method method

        def initialize(tunnel, connection)
          @tunnel = tunnel
          @connection = connection
        end

        def connection_completed = @connection.connection_completed

        # What had come before there was a tunnel.
        def receive_data(data) = @tunnel.receive(data)

        def unbind(reason) = @tunnel.gone(reason)
        def proxy_target_unbound; end
        def proxy_completed; end
        def __close_io = @connection.__close_io
        # rubocop:enable Style/DocumentationMethod
      end

      # The end of the pair that is not the SSLSocket's.
      #
      # @private
      class Far < Connection
        def initialize(tunnel)
          super()
          @owner = tunnel
        end

        # It is relayed.
        def receive_data(data); end

        # All that the SSLSocket has had to say has been relayed.
        def unbind = @owner.sent
      end

      class << self
        # @param connection [Connection]
        # @param options [TlsOptions] checked
        # @return [nil]
        # @raise [EM::InvalidPrivateKey] if OpenSSL can't use them
        def start(connection, options)
          Connection.prepend(Connected) unless Connection < Connected
          new(connection, options).start
          nil
        rescue OpenSSL::OpenSSLError => e
          raise InvalidPrivateKey, e.message
        end
      end

      # [OpenSSL::SSL::SSLSocket]
      attr_reader :socket
      # [String, nil]
      attr_reader :server_name

      def initialize(connection, options)
        @connection = connection
        @options = options
        @signature = connection.signature
        @is_server = EM.__accepted?(@signature)
        @plaintext = Thread::Queue.new
        @tickets = Thread::Queue.new
        @unsent = 0
        @context = context
      end

      # Begins the handshake, or waits for it.
      def start
        @connection.__tunnel(self)
        near, far = UNIXSocket.pair
        @socket = OpenSSL::SSL::SSLSocket.new(near, @context)
        @socket.sync_close = true
        name_server
        @far = EM.attach(far, Far, self)
        EM.__own(@signature, Gate.new(self, @connection))
        EM.start_proxy(@signature, @far.signature, 0, 0)
        EM.start_proxy(@far.signature, @signature, 0, 0)
        # After the callback that asks for it, as with rustls.
        EM.next_tick { EM.fiber { serve } }
      end

      # @return [Integer] 1, or 0 if it is about to close
      def send_data(data)
        return 0 if @plaintext.closed? || @closed

        @unsent += data.bytesize
        @plaintext.push(data.dup)
        1
      end

      # @return [Integer] bytes that were not encrypted yet
      attr_reader :unsent

      # Bytes for the SSLSocket.
      def receive(data) = @far.send_data(data)

      # Nothing is received any more. The block closes the connection.
      def close
        @closed = true
        yield
      end

      # The block closes the connection; it is called when everything was encrypted.
      def close_after_writing(&close)
        return close.call if @unsent.zero? && !@writing

        @close = close
        @plaintext.close
        nil
      end

      # The far end has no more to say.
      def sent
        @close&.call
      end

      # The connection has ended.
      def gone(reason)
        @gone = true
        @reason = reason
        @far.close_connection_after_writing
        finish
      end

      # @return what OpenSSL says of the cipher, if there is one
      def cipher(index) = @socket.cipher&.at(index)

      # @return [String] the version, once it is known
      def protocol = @socket.cipher ? @socket.ssl_version : "(NONE)"

      private

      # The life of the fiber that reads.
      def serve
        @is_server ? @socket.accept : @socket.connect
        verify_name
        EM.fiber { write }
        call { @connection.ssl_handshake_completed }
        while (data = @socket.readpartial(PIECE))
          receive_decrypted(data)
        end
      rescue OpenSSL::SSL::SSLError => e
        # When it closes, the far end does, and nothing has to come any more.
        give_up(e) unless @close || @gone
      rescue IOError, SystemCallError
        # Its connection has ended, or does.
      ensure
        [@tickets, @plaintext].each(&:close)
        @over = true
        finish
      end

      def receive_decrypted(data)
        call { @connection.receive_data(data) } unless @closed
      end

      # The life of the fiber that writes.
      def write
        @writing = true
        while (data = @plaintext.pop)
          @socket.write(data)
          @unsent -= data.bytesize
        end
        return if @over

        # A socket that is closed before they are here is reset, and what is under way is lost.
        @tickets.pop(timeout: TICKETS) if !@is_server && @socket.ssl_version == "TLSv1.3"
        # Its goodbye, and then the far end sees that this was all.
        @socket.__send__(:stop)
        @socket.to_io.close_write
      rescue OpenSSL::SSL::SSLError, IOError, SystemCallError
        # It has ended.
      end

      # A callback runs as any other, and the next one waits for it.
      def call
        done = Thread::Queue.new
        EM.next_tick do
          yield
        ensure
          done.close
        end
        done.pop
      end

      def give_up(error)
        @error = error.message
        raised = @raised
        @raised = nil
        EM.__fail(@signature, Errno::EPROTO::Errno)
        call { raise raised } if raised
      end

      # It is over when nothing is left to be read, and the connection has ended.
      def finish
        return unless @over && @gone && !@finished

        @finished = true
        begin
          @socket.close
        ensure
          # From Ruby 3.4 on closing suspends, and a reactor that stops cancels who waits.
          @connection.__tunnel(nil, @error)
          EM.__send__(:tell_end, @connection, @reason)
        end
      end

      def context
        context = OpenSSL::SSL::SSLContext.new
        choose_versions(context)
        context.ciphers = @options[:cipher_list].to_s if @options[:cipher_list]
        identify(context)
        trust(context)
        @is_server ? prepare_server(context) : prepare_client(context)
        context
      end

      def choose_versions(context)
        versions = VERSIONS.filter_map { |bit, version| version if @options.versions.anybits?(bit) }
        context.min_version, context.max_version = versions.minmax
      end

      def identify(context)
        key, chain = @options.given_identity || (TlsOptions.own_rsa if @is_server)
        return unless key

        first, *rest = OpenSSL::X509::Certificate.load(chain)
        context.add_certificate(first, OpenSSL::PKey.read(key), rest)
      end

      def prepare_server(context)
        context.ecdh_curves = @options[:ecdh_curve] if @options[:ecdh_curve]
        context.tmp_dh = OpenSSL::PKey.read(File.read(@options[:dhparam])) if @options[:dhparam]
        context.servername_cb = ->((_, name)) { (@server_name = name) && nil }
        wanted = Array(@options[:alpn_protocols])
        context.alpn_select_cb = ->(offered) { (wanted & offered).first } unless wanted.empty?
      end

      def prepare_client(context)
        context.alpn_protocols = Array(@options[:alpn_protocols]) if @options[:alpn_protocols]
        context.session_cache_mode = OpenSSL::SSL::SSLContext::SESSION_CACHE_CLIENT
        context.session_new_cb = ->(_) { @tickets.close && nil }
      end

      def trust(context)
        mode = OpenSSL::SSL::VERIFY_NONE
        mode = OpenSSL::SSL::VERIFY_PEER if @options[:verify_peer] || @options.verify?
        mode |= OpenSSL::SSL::VERIFY_FAIL_IF_NO_PEER_CERT if @options[:fail_if_no_peer_cert] && mode.positive?
        context.verify_mode = mode
        context.verify_hostname = false
        context.cert_store = roots if @options.verify?
        context.verify_callback = method(:verified)
      end

      def roots
        store = OpenSSL::X509::Store.new
        given = @options.ca
        given ? OpenSSL::X509::Certificate.load(given).each { |root| store.add_cert(root) } : store.set_default_paths
        store
      end

      # Runs inside OpenSSL, which no exception may leave.
      def verified(good, store)
        return false if @options.verify? && !good
        return true unless @options[:verify_peer]

        @connection.ssl_verify_peer(store.current_cert.to_pem) ? true : false
      rescue Exception => e # rubocop:disable Lint/RescueException
        @raised = e
        false
      end

      def name_server
        return if @is_server

        verified = @options[:verify]
        @name = verified.is_a?(String) ? verified : @options[:sni_hostname]
        if @options.verify? && !@name
          raise ArgumentError,
                "there is no name to verify: give sni_hostname as well, or the name as verify"
        end

        @socket.hostname = @server_name = @name.to_s if @name
      end

      def verify_name
        @socket.post_connection_check(@name.to_s) if @options.verify? && !@is_server
      end
    end
    private_constant :OpenSSLTunnel
  end
end
