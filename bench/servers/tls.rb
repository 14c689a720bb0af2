# frozen_string_literal: true

require "openssl"
require "tmpdir"
require_relative "../../test/support/throwaway_certificate"

# Contexts for a server and a client that trust each other: a certificate on the P-256 curve, TLS 1.3.
module TLS
  module_function

  def server
    @server ||= OpenSSL::SSL::SSLContext.new.tap do |context|
      Dir.mktmpdir do |directory|
        files = ThrowawayCertificate.new(directory)
        context.key = OpenSSL::PKey.read(File.read(files.key))
        context.cert = OpenSSL::X509::Certificate.new(File.read(files.certificate))
      end
      context.min_version = OpenSSL::SSL::TLS1_3_VERSION
    end
  end

  def client
    OpenSSL::SSL::SSLContext.new.tap do |context|
      context.verify_mode = OpenSSL::SSL::VERIFY_PEER
      context.verify_hostname = false
      context.cert_store = OpenSSL::X509::Store.new.tap { |store| store.add_cert(server.cert) }
    end
  end
end
