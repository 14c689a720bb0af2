# frozen_string_literal: true

require_relative "throwaway_server"
require_relative "tls_certificates"

# Redis, which keeps nothing.
class ThrowawayRedis < ThrowawayServer
  PROGRAM = "redis-server"

  # @param relay [Relay] to the shared one
  # @return [Hash] how its clients reach that: through the relay, or directly over TLS
  def self.reached(relay, tls:)
    return { host: "localhost", port: relay.port } unless tls

    { host: "localhost", port: shared.tls_port, ssl: true, ssl_params: { ca_file: TLSCertificates.root_file } }
  end

  private

  def command
    identity = TLSCertificates.leaf
    ["redis-server", "--port", port.to_s, "--bind", "127.0.0.1", "--save", "",
     "--tls-port", tls_port.to_s, "--tls-auth-clients", "no",
     "--tls-cert-file", file("certificate.pem", identity.chain_pem),
     "--tls-key-file", file("key.pem", identity.key_pem),
     "--tls-ca-cert-file", file("root.pem", identity.root.pem)]
  end
end
