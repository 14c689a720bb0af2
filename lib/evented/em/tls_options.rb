# frozen_string_literal: true

require "socket"

module Evented
  module EM
    # What `start_tls` was told: checked in EventMachine's order, and with its errors.
    #
    # @private
    class TlsOptions
      # EventMachine's names; what is spoken here are the last two.
      VERSIONS = {
        "sslv2" => EM_PROTO_SSLv2, "sslv3" => EM_PROTO_SSLv3, "tlsv1" => EM_PROTO_TLSv1,
        "tlsv1_1" => EM_PROTO_TLSv1_1, "tlsv1_2" => EM_PROTO_TLSv1_2, "tlsv1_3" => EM_PROTO_TLSv1_3
      }.freeze
      DEFAULT_VERSIONS = EM_PROTO_TLSv1 | EM_PROTO_TLSv1_1 | EM_PROTO_TLSv1_2 | EM_PROTO_TLSv1_3
      # One certificate in a PEM.
      CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----.*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----\n?/m
      ENCRYPTED = /^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: *4, *ENCRYPTED/
      private_constant :VERSIONS, :DEFAULT_VERSIONS, :CERTIFICATE, :ENCRYPTED

      @decrypted = {}

      class << self
        # Deriving a key from a pass phrase is slow on purpose, and each connection brings the same one.
        attr_reader :decrypted

        # For servers without a certificate that only allow ciphers for RSA; else the native half makes one.
        #
        # @return [Array(String, String)] key and certificate, as PEM
        def own_rsa = @own_rsa ||= make_rsa

        # Once.
        def warn_of_dhparam
          return if @warned_of_dhparam

          @warned_of_dhparam = true
          warn "evented: start_tls does without dhparam: ciphers with ECDHE are used instead, which all peers of " \
               "today speak. For DHE, use tls_backend: :openssl."
        end

        private

        def make_rsa
          require "openssl"
          key = OpenSSL::PKey::RSA.new(2048)
          certificate = OpenSSL::X509::Certificate.new
          certificate.version = 2
          certificate.serial = OpenSSL::BN.rand(64)
          certificate.subject = certificate.issuer = OpenSSL::X509::Name.new([%w[CN localhost]])
          certificate.public_key = key
          certificate.not_before = Time.now - 86_400
          certificate.not_after = Time.now + (86_400 * 3650)
          certificate.sign(key, "SHA256")
          [key.private_to_pem, certificate.to_pem]
        end
      end

      # @param args [Hash] as `start_tls` takes them
      # @param versions [Integer, nil] a sum of `EM_PROTO_…`, instead of `ssl_version`
      def initialize(args, versions = nil)
        @args = args
        @versions = versions
      end

      # What was told, or nil if that is empty.
      def [](name)
        value = @args[name]
        value unless value.respond_to?(:empty?) && value.empty?
      end

      # @raise what `start_tls` raises before it reads anything
      def check
        %i[private_key_file cert_chain_file].each do |name|
          path = self[name]
          raise FileNotFoundException, "Could not find #{path} for start_tls" if path && !File.exist?(path)
        end
        check_pairs
        versions
      end

      # @return [Integer] a sum of `EM_PROTO_…`
      def versions
        @versions ||= self[:ssl_version] ? named_versions : DEFAULT_VERSIONS
      end

      # @param signature [Integer] of the connection, which says which side this is
      # @return [Array] for `__start_tls`
      # @raise [EM::InvalidPrivateKey] if something can't be read
      def to_native(signature)
        server = EM.__accepted?(signature)
        key, chain = identity(server)
        check_dhparam if server && self[:dhparam]
        name, send_name = server ? nil : server_name(signature)
        [server, key, chain, self[:verify_peer] ? true : false, self[:fail_if_no_peer_cert] ? true : false, send_name,
         name, self[:cipher_list]&.to_s, versions, self[:ecdh_curve]&.to_s, Array(self[:alpn_protocols]).map(&:to_s),
         roots]
      end

      # @return [Array(String, String), nil] key and certificates as PEM, if there are both
      def given_identity
        key = decrypt(pem(:private_key, :private_key_file)) or return
        [key, chain]
      end

      # @return [String, nil] PEM
      def ca = self[:ca_file] && read(:ca_file)

      # @return [Boolean] whether the peer is verified as browsers do it
      def verify? = self[:verify] || self[:ca_file] ? true : false

      private

      def named_versions
        Array(self[:ssl_version]).reduce(0) do |sum, name|
          sum | VERSIONS.fetch(name.to_s.downcase) { raise "Unrecognized SSL/TLS Protocol: #{name}" }
        end
      end

      def check_pairs
        if self[:private_key] && self[:private_key_file]
          raise BadPrivateKeyParams, "Specifying both private_key and private_key_file not allowed"
        end
        if self[:cert] && self[:cert_chain_file]
          raise BadCertParams,
                "Specifying both cert and cert_chain_file not allowed"
        end
        return unless (self[:private_key] || self[:private_key_file]) && !(self[:cert] || self[:cert_chain_file])

        raise BadParams, "You have specified a private key to use, but not the related cert"
      end

      # A certificate without a key is passed over, as ever: some gems give those of authorities like this.
      def identity(server)
        given_identity || (self.class.own_rsa if server && rsa_only?)
      end

      # EventMachine takes the first certificate of the string, and all of the file.
      def chain = self[:cert] ? self[:cert][CERTIFICATE] || self[:cert] : read(:cert_chain_file)

      def pem(text, file) = self[text] || (self[file] && read(file))

      def read(name)
        File.binread(self[name])
      rescue SystemCallError => e
        raise InvalidPrivateKey, "#{name}: #{e.message}"
      end

      # No file format is left to chance: OpenSSL knows both ways in which PEMs are encrypted.
      def decrypt(pem)
        return pem unless pem&.match?(ENCRYPTED)

        cache = self.class.decrypted
        cache.clear if cache.size >= 64
        cache[[pem, self[:private_key_pass]]] ||= decrypted(pem)
      end

      def decrypted(pem)
        require "openssl"
        OpenSSL::PKey.read(pem, self[:private_key_pass].to_s).private_to_pem
      rescue OpenSSL::PKey::PKeyError => e
        raise InvalidPrivateKey, "the private key can't be decrypted: is private_key_pass right? (#{e.message})"
      end

      # There is no DHE with parameters of one's own any more, and nobody needs it beside ECDHE.
      def check_dhparam
        raise InvalidPrivateKey, "dhparam: BIO_new_file(#{self[:dhparam]}) failed" unless File.readable?(self[:dhparam])

        self.class.warn_of_dhparam
      end

      def rsa_only?
        list = self[:cipher_list] or return false
        wanted = list.to_s.split(/[:, ;]+/).grep_v(/\A[-+!@]/)
        !wanted.empty? && wanted.all? { |cipher| cipher.match?(/RSA/) && !cipher.include?("ECDSA") }
      end

      # @return [Array(String, Boolean)] the server's name, and whether it is told to the server
      def server_name(signature)
        name = self[:verify] if self[:verify].is_a?(String)
        name ||= self[:sni_hostname]
        return [name.to_s, true] if name
        return [peer(signature), false] unless verify?

        raise ArgumentError, "there is no name to verify: give sni_hostname as well, or the name as verify"
      end

      # Sessions that can be resumed are kept by name; without one, by the address.
      def peer(signature)
        Socket.unpack_sockaddr_in(EM.get_peername(signature) || "").last[/\A[^%]+/]
      rescue ArgumentError, RuntimeError
        nil
      end

      def roots
        return unless verify?

        ca || true
      end
    end
    private_constant :TlsOptions
  end
end
