# frozen_string_literal: true

require "openssl"
require "tmpdir"

# Certificates for tests of TLS: a root, an intermediate that it has issued, and leaves of that. Keys are made once.
module TLSCertificates
  # A certificate with its key and those who have issued it, the nearest first.
  Identity = Struct.new(:certificate, :key, :issuers) do
    def pem = certificate.to_pem
    def key_pem = key.private_to_pem
    # Without the root, as servers send it.
    def chain_pem = ([self] + issuers[0...-1]).map(&:pem).join
    # With it.
    def full_chain_pem = ([self] + issuers).map(&:pem).join
    def root = issuers.last || self

    # For a server of Ruby's own OpenSSL.
    def context
      between = issuers[0...-1].map(&:certificate)
      OpenSSL::SSL::SSLContext.new.tap { |own| own.add_certificate(certificate, key, between) }
    end

    # For `start_tls`.
    def options = { private_key: key_pem, cert_chain_file: TLSCertificates.file(chain_pem) }
  end

  class << self
    def root = @root ||= issue("root", nil, authority: true)
    def other_root = @other_root ||= issue("other root", nil, authority: true)
    def intermediate = @intermediate ||= issue("intermediate", root, authority: true)

    # @return [Identity] for this name, issued by the intermediate
    def leaf(name = "localhost", **) = (@leaves ||= {})[[name, **]] ||= issue(name, intermediate, **)

    # @return [String] path of the certificate that a client has to trust
    def root_file = file(root.pem)

    def self_signed = @self_signed ||= issue("localhost", nil)

    # @return [String] path of a file with this text
    def file(text)
      (@files ||= {})[text] ||= File.join(directory, "#{@files.size}.pem").tap { |path| File.write(path, text) }
    end

    # @param issuer [Identity, nil] nil: itself
    # @param kind [Symbol] of its key: :ec or :rsa
    # @return [Identity]
    def issue(name, issuer, authority: false, from: Time.now - 3600, to: Time.now + 3600, kind: :ec)
      key = kind == :rsa ? OpenSSL::PKey::RSA.new(2048) : OpenSSL::PKey::EC.generate("prime256v1")
      certificate = OpenSSL::X509::Certificate.new
      certificate.version = 2
      certificate.serial = OpenSSL::BN.rand(64)
      certificate.subject = OpenSSL::X509::Name.new([["CN", name]])
      certificate.issuer = issuer ? issuer.certificate.subject : certificate.subject
      certificate.public_key = key
      certificate.not_before = from
      certificate.not_after = to
      extend_it(certificate, issuer, name, authority)
      certificate.sign(issuer&.key || key, "SHA256")
      Identity.new(certificate, key, issuer ? [issuer, *issuer.issuers] : [])
    end

    private

    def extend_it(certificate, issuer, name, authority)
      factory = OpenSSL::X509::ExtensionFactory.new(issuer&.certificate || certificate, certificate)
      certificate.add_extension(factory.create_extension("basicConstraints", "CA:#{authority.to_s.upcase}", true))
      return if authority

      certificate.add_extension(factory.create_extension("subjectAltName", "DNS:#{name},IP:127.0.0.1"))
    end

    def directory
      @directory ||= Dir.mktmpdir.tap { |path| Minitest.after_run { FileUtils.rm_rf(path) } }
    end
  end
end
