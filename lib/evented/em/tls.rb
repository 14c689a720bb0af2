# frozen_string_literal: true

module Evented
  # TLS, by rustls.
  module EM
    # Names of protocols in the option `ssl_version`, and their bits.
    TLS_PROTOCOLS = {
      "sslv2" => EM_PROTO_SSLv2, "sslv3" => EM_PROTO_SSLv3, "tlsv1" => EM_PROTO_TLSv1, "tlsv1_1" => EM_PROTO_TLSv1_1,
      "tlsv1_2" => EM_PROTO_TLSv1_2, "tlsv1_3" => EM_PROTO_TLSv1_3
    }.freeze
    # What is allowed if nothing is said.
    TLS_DEFAULT = EM_PROTO_TLSv1 | EM_PROTO_TLSv1_1 | EM_PROTO_TLSv1_2 | EM_PROTO_TLSv1_3
    private_constant :TLS_PROTOCOLS, :TLS_DEFAULT

    # What {set_tls_parms} was told, by signature, until {start_tls}.
    @tls_parms = {}

    class << self
      # Notes what TLS of a connection is to be like.
      #
      # @param protocols [Integer] a sum of `EM_PROTO_…`
      def set_tls_parms(signature, priv_key_path, priv_key, priv_key_pass, cert_chain_path, cert, verify_peer,
                        fail_if_no_peer_cert, sni_hostname, cipher_list, ecdh_curve, dhparam, protocols)
        @tls_parms[signature] = {
          private_key_file: priv_key_path, private_key: priv_key, private_key_pass: priv_key_pass,
          cert_chain_file: cert_chain_path, cert: cert, verify_peer: verify_peer,
          fail_if_no_peer_cert: fail_if_no_peer_cert, sni_hostname: sni_hostname, cipher_list: cipher_list,
          ecdh_curve: ecdh_curve, dhparam: dhparam, protocols: protocols
        }
        nil
      end

      # Begins the handshake.
      #
      # @raise [EM::InvalidPrivateKey] if key, certificate or curve can't be used
      # @raise [RuntimeError] if the connection has TLS already, or nothing is left of protocols or ciphers
      def start_tls(signature)
        begin_tls(signature, @tls_parms.delete(signature) || {})
      end

      # @private
      def begin_tls(signature, options)
        refused = __start_tls(signature, tls_options(signature, options))
        return unless refused

        kind, text = refused
        raise kind == :key ? InvalidPrivateKey.new(text) : text
      end

      # @private
      def tls_protocols(names)
        return TLS_DEFAULT if names.nil?

        Array(names).sum do |name|
          TLS_PROTOCOLS.fetch(name.to_s.downcase) { raise "Unrecognized SSL/TLS Protocol: #{name}" }
        end
      end

      private

      # In the order of `__start_tls`.
      def tls_options(signature, options)
        name = given(options[:sni_hostname]) || given(options[:verify_hostname])
        [__accepted?(signature), private_key(options), certificates(options), options[:verify_peer],
         options[:fail_if_no_peer_cert], name, !given(options[:sni_hostname]).nil?, given(options[:cipher_list]),
         options[:protocols] || TLS_DEFAULT, curves(options), options[:alpn_protocols], roots(options)]
      end

      def given(text) = text.nil? || text == "" ? nil : text

      def private_key(options)
        pem = given(options[:private_key]) || read_pem(options[:private_key_file])
        return pem unless pem&.include?("ENCRYPTED")

        require "openssl"
        OpenSSL::PKey.read(pem, options[:private_key_pass].to_s).private_to_pem
      rescue LoadError, OpenSSL::PKey::PKeyError => e
        raise InvalidPrivateKey, "the key can't be decrypted: #{e.message}"
      end

      def certificates(options)
        # Of a certificate that is given itself only the first counts, as in EventMachine.
        given(options[:cert])&.slice(/\A.*?-----END CERTIFICATE-----\n?/m) || given(options[:cert]) ||
          read_pem(options[:cert_chain_file])
      end

      def curves(options)
        file = given(options[:dhparam])
        raise InvalidPrivateKey, "dhparam: Unable to open #{file}" if file && !File.readable?(file)

        given(options[:ecdh_curve])
      end

      def roots(options)
        return true if options[:verify] == true || options[:verify] == :system
        return File.binread(options[:ca_file]) if options[:ca_file]

        Dir.children(options[:ca_path]).sort.map { |file| File.binread(File.join(options[:ca_path], file)) }.join("\n") if
          options[:ca_path]
      end

      def read_pem(file)
        File.binread(file) if given(file)
      rescue SystemCallError => e
        raise InvalidPrivateKey, e.message
      end
    end

    # What a connection says about its TLS.
    class Connection
      # Begins TLS: as a server if the connection was accepted, else as a client. What is sent before the handshake is over
      # leaves after it.
      #
      # @param args [Hash]
      # @option args [String] :private_key_file, :private_key a file, or PEM
      # @option args [String] :private_key_pass
      # @option args [String] :cert_chain_file, :cert a file, or PEM
      # @option args [Boolean] :verify_peer whether {#ssl_verify_peer} is asked about each certificate
      # @option args [Boolean] :fail_if_no_peer_cert
      # @option args [String] :sni_hostname the server's name, told to it
      # @option args [String] :cipher_list as for OpenSSL; concerns TLS 1.2
      # @option args [String, Symbol, Array] :ssl_version
      # @option args [String] :ecdh_curve
      # @option args [String] :dhparam a file; not used
      # @option args [Boolean] :verify check the server's chain with the system's roots, and its name: an extension
      # @option args [String] :ca_file, :ca_path as `verify`, with these roots
      # @option args [String] :verify_hostname the name to check, if it is not `sni_hostname`
      # @option args [Array<String>] :alpn_protocols the dearest first: an extension
      # @return [nil]
      # @raise [EM::FileNotFoundException, EM::BadPrivateKeyParams, EM::BadCertParams, EM::BadParams]
      # @raise [EM::InvalidPrivateKey] if key, certificate or curve can't be used
      # @raise [RuntimeError] if it has TLS already, or nothing is left of protocols or ciphers
      def start_tls(args = {})
        check_tls_files(args)
        raise BadPrivateKeyParams if args[:private_key_file] && args[:private_key]
        raise BadCertParams if args[:cert_chain_file] && args[:cert]

        key = args[:private_key_file] || args[:private_key]
        raise BadParams if key && !(args[:cert_chain_file] || args[:cert])

        EM.begin_tls(@signature, args.merge(protocols: EM.tls_protocols(args[:ssl_version])))
        nil
      end

      # @return [String, nil] the peer's certificate, as PEM
      # @raise [RuntimeError] without TLS
      def get_peer_cert = EM.get_peer_cert(@signature)

      # @return [Integer, nil] bits of the cipher's key
      # @raise (see get_peer_cert)
      def get_cipher_bits = EM.get_cipher_bits(@signature)

      # @return [String, nil] OpenSSL's name of the cipher
      # @raise (see get_peer_cert)
      def get_cipher_name = EM.get_cipher_name(@signature)

      # @return [String, nil] "TLSv1.3", "TLSv1.2"
      # @raise (see get_peer_cert)
      def get_cipher_protocol = EM.get_cipher_protocol(@signature)

      # @return [String, nil] the name that a client has asked this server for
      # @raise (see get_peer_cert)
      def get_sni_hostname = EM.get_sni_hostname(@signature)

      # @return [String, nil] the protocol that was agreed on, of `alpn_protocols`
      # @raise (see get_peer_cert)
      def alpn_protocol = EM.__alpn_protocol(@signature)

      # @return [String, nil] why TLS has failed; also in {#unbind}, whose reason is Errno::EPROTO then
      def tls_error = EM.__tls_error(@signature)

      private

      def check_tls_files(args)
        [args[:private_key_file], args[:cert_chain_file]].each do |file|
          next if file.nil? || file.empty?
          raise FileNotFoundException, "Could not find #{file} for start_tls" unless File.exist?(file)
        end
      end
    end
  end
end
