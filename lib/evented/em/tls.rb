# frozen_string_literal: true

require_relative "tls_options"

module Evented
  # TLS, by signature and on connections.
  module EM
    @tls_parms = {}

    class << self
      # Says what {start_tls} is to be done with. Empty strings are nothing.
      #
      # @param signature [Integer]
      # @param versions [Integer] a sum of `EM_PROTO_…`
      def set_tls_parms(signature, private_key_file, private_key, private_key_pass, cert_chain_file, cert, verify_peer,
                        fail_if_no_peer_cert, sni_hostname, cipher_list, ecdh_curve, dhparam, versions)
        @tls_parms[signature] = TlsOptions.new(
          { private_key_file:, private_key:, private_key_pass:, cert_chain_file:, cert:, verify_peer:,
            fail_if_no_peer_cert:, sni_hostname:, cipher_list:, ecdh_curve:, dhparam: }, versions
        )
        nil
      end

      # Begins TLS with what {set_tls_parms} has said.
      #
      # @raise [RuntimeError] if it has said nothing, or TLS has begun already
      # @raise [EM::InvalidPrivateKey] if key, certificate or curve can't be used
      def start_tls(signature)
        options = @tls_parms.delete(signature) or raise "call SetTlsParms before calling StartTls"
        __start_tls(signature, options.to_native(signature))
        nil
      end

      # @!method get_peer_cert(signature)
      #   @return [String, nil] PEM
      # @!method get_cipher_bits(signature)
      #   @return [Integer, nil]
      # @!method get_cipher_name(signature)
      #   @return [String, nil] OpenSSL's name
      # @!method get_cipher_protocol(signature)
      #   @return [String, nil] "TLSv1.3" or "TLSv1.2"
      # @!method get_sni_hostname(signature)
      #   @return [String, nil]
      # @!method get_alpn_protocol(signature)
      #   @return [String, nil]
      # @!method get_tls_error(signature)
      #   @return [String, nil]
    end

    # TLS of one connection.
    class Connection
      # Begins TLS: on an accepted connection as the server, else as the client. What is sent from now on is encrypted,
      # and waits for the handshake. {#ssl_handshake_completed} follows, or {#unbind} with Errno::EPROTO and a
      # {#tls_error}.
      #
      # Nobody is verified unless one asks for it: with `verify_peer` by {#ssl_verify_peer}, with `verify` as browsers
      # do.
      #
      # @param args [Hash]
      # @option args [String] :private_key_file path of a PEM
      # @option args [String] :private_key PEM; not with the file
      # @option args [String] :private_key_pass of an encrypted key; Ruby's openssl decrypts it
      # @option args [String] :cert_chain_file path of a PEM, the own certificate first
      # @option args [String] :cert PEM, one certificate; not with the file
      # @option args [Boolean] :verify_peer whether {#ssl_verify_peer} is called; a server asks for a certificate then
      # @option args [Boolean] :fail_if_no_peer_cert whether a client needs one, with `verify_peer`
      # @option args [String] :sni_hostname the name that a client asks for
      # @option args [String] :cipher_list OpenSSL's cipher string, for TLS 1.2
      # @option args [String, Symbol, Array] :ssl_version names as :TLSv1_3; old ones are passed over
      # @option args [String] :ecdh_curve OpenSSL's names, with `:` between them; for a server
      # @option args [String] :dhparam path; there is no DHE, so it only has to be there
      # @option args [true, String] :verify whether the peer's certificate has to lead to a root of this system (or
      #   `ca_file`), and a server's to carry this name (of `sni_hostname`, if true)
      # @option args [String] :ca_file path of a PEM with roots; implies `verify`
      # @option args [Array<String>] :alpn_protocols protocols above, the dearest first
      # @option args [Symbol] :tls_backend :openssl for Ruby's OpenSSL instead of rustls: old protocols and ciphers
      # @return [nil]
      # @raise [EM::FileNotFoundException] if the key's or the certificate's file is not there
      # @raise [EM::BadPrivateKeyParams, EM::BadCertParams] if one is given in two ways
      # @raise [EM::BadParams] if there is a key without a certificate
      # @raise [EM::InvalidPrivateKey] if they can't be used, or don't belong together, or the curve is unknown
      # @raise [RuntimeError] if no protocol or cipher is left, or TLS has begun already
      # @raise [ArgumentError] if there is no name to verify
      def start_tls(args = {})
        options = TlsOptions.new(args)
        options.check
        if args[:tls_backend] == :openssl
          # Most programs never need it, nor openssl.
          require_relative "openssl_tunnel"
          return OpenSSLTunnel.start(self, options)
        end

        EM.__start_tls(@signature, options.to_native(@signature))
        nil
      end

      # @return [String, nil] the peer's certificate as PEM, once the handshake is over
      # @raise [RuntimeError] if there is no TLS on this connection; so do all below
      def get_peer_cert = EM.get_peer_cert(@signature)

      # @return [Integer, nil] 128 or 256
      def get_cipher_bits = EM.get_cipher_bits(@signature)

      # @return [String, nil] OpenSSL's name; "(NONE)" before the handshake is over
      def get_cipher_name = EM.get_cipher_name(@signature)

      # @return [String, nil] "TLSv1.3" or "TLSv1.2"; "(NONE)" before the handshake is over
      def get_cipher_protocol = EM.get_cipher_protocol(@signature)

      # @return [String, nil] the name that the client has asked the server for
      def get_sni_hostname = EM.get_sni_hostname(@signature)

      # @return [String, nil] which of `alpn_protocols` was agreed on
      def alpn_protocol = EM.get_alpn_protocol(@signature)

      # @return [String, nil] why TLS has failed, also in {#unbind}; nil if it has not, or never began
      def tls_error = EM.get_tls_error(@signature)
    end
  end
end
