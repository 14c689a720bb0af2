# frozen_string_literal: true

require "openssl"

# A key and a certificate that it signed itself, for 127.0.0.1 and localhost, in files of a directory.
class ThrowawayCertificate
  # [String] paths
  attr_reader :key, :certificate

  def initialize(directory, name: "localhost")
    @key = File.join(directory, "#{name}.key")
    @certificate = File.join(directory, "#{name}.crt")
    key = OpenSSL::PKey::EC.generate("prime256v1")
    File.write(@key, key.private_to_pem)
    File.write(@certificate, self_signed(key, name).to_pem)
  end

  private

  def self_signed(key, name)
    certificate = OpenSSL::X509::Certificate.new
    certificate.version = 2
    certificate.serial = 1
    certificate.subject = certificate.issuer = OpenSSL::X509::Name.new([["CN", name]])
    certificate.public_key = key
    certificate.not_before = Time.now - 3600
    certificate.not_after = Time.now + 3600
    extensions = OpenSSL::X509::ExtensionFactory.new(certificate, certificate)
    certificate.add_extension(extensions.create_extension("subjectAltName", "DNS:#{name}"))
    certificate.add_extension(extensions.create_extension("basicConstraints", "CA:TRUE", true))
    certificate.sign(key, "SHA256")
  end
end
