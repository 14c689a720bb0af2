# frozen_string_literal: true

require_relative "throwaway_server"
require_relative "tls_certificates"

# memcached; it speaks either TLS or not on its one port.
class ThrowawayMemcached < ThrowawayServer
  PROGRAM = "memcached"

  private

  def command
    identity = TLSCertificates.leaf
    ["memcached", "-l", "notls:127.0.0.1:#{port},127.0.0.1:#{tls_port}", "-U", "0", "-t", "2", "-Z",
     "-o", "ssl_chain_cert=#{file("certificate.pem", identity.chain_pem)}",
     "-o", "ssl_key=#{file("key.pem", identity.key_pem)}"]
  end
end
