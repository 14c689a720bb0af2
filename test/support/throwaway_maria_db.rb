# frozen_string_literal: true

require_relative "throwaway_server"
require_relative "tls_certificates"

# MariaDB, without users: whoever connects may do everything.
class ThrowawayMariaDB < ThrowawayServer
  PROGRAM = "mariadbd"

  # [Array<String>] what the server and the one who makes its files are both told
  OPTIONS = %w[--no-defaults --innodb-log-file-size=4M --innodb-buffer-pool-size=8M --innodb-flush-log-at-trx-commit=0
               --key-buffer-size=1M --aria-pagecache-buffer-size=1M].freeze

  private

  # An empty directory is enough: the tables of users and of privileges are those that are skipped.
  def prepare = Dir.mkdir("#{@directory}/data")

  def command
    identity = TLSCertificates.leaf
    [path_of(PROGRAM), *OPTIONS, "--datadir=#{@directory}/data", "--skip-grant-tables", "--skip-networking=0",
     "--bind-address=127.0.0.1", "--port=#{port}", "--socket=#{@directory}/socket", "--max-connections=100",
     "--ssl-cert=#{file("certificate.pem", identity.chain_pem)}", "--ssl-key=#{file("key.pem", identity.key_pem)}",
     "--ssl-ca=#{file("root.pem", identity.root.pem)}"]
  end
end
