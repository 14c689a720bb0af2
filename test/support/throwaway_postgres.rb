# frozen_string_literal: true

require "shellwords"
require_relative "throwaway_server"

# A PostgreSQL cluster, on a unix socket only unless it is to speak TLS.
#
#     ThrowawayPostgres.open { |postgres| PG.connect(postgres.conninfo) } if ThrowawayPostgres.available?
#
# It is tuned to start fast and to forget: nothing is synced to the disk.
class ThrowawayPostgres < ThrowawayServer
  PROGRAM = "postgres"

  SETTINGS = {
    listen_addresses: "", max_connections: 200, shared_buffers: "16MB",
    fsync: "off", synchronous_commit: "off", full_page_writes: "off", autovacuum: "off"
  }.freeze

  class << self
    def available? = !bindir.nil?

    # The directory of `initdb` and `postgres`: Debian keeps them out of PATH, one directory a version.
    def bindir
      candidates = [`pg_config --bindir 2>/dev/null`.chomp, *ENV.fetch("PATH").split(":"),
                    *Dir["/usr/lib/postgresql/*/bin"].sort_by { |dir| -dir[%r{/(\d+)}, 1].to_i }]
      candidates.find { |dir| %w[initdb postgres].all? { |name| File.executable?("#{dir}/#{name}") } }
    end

    # "15.13", without starting a server.
    def version
      `#{bindir.shellescape}/postgres --version`[/\d+(\.\d+)*/]
    end
  end

  # @param start_within [Numeric] seconds
  # @param tls [TLSCertificates::Identity, nil] with which to listen on a port too, and to speak TLS there
  def initialize(start_within: 30, tls: nil)
    @tls = tls
    @bindir = self.class.bindir or raise "no PostgreSQL found: put the directory of its `initdb` into PATH"
    super(start_within:)
  end

  # [Integer, nil] where on 127.0.0.1 it speaks TLS
  def tls_port = @tls && super

  # For PG.connect. The one user is `postgres`, and nobody is asked for a password.
  def conninfo
    "host=#{@directory} user=postgres dbname=postgres#{" port=#{tls_port}" if tls_port}"
  end

  # Path of its socket.
  def socket = "#{@directory}/.s.PGSQL.#{tls_port || 5432}"

  private

  # PostgreSQL refuses to run as root; `postgres` exists where a distribution packaged it, `nobody` everywhere.
  def owner
    return unless Process.euid.zero?

    @owner ||= Etc::Passwd.select { |user| %w[postgres nobody].include?(user.name) }.max_by(&:name)
  end

  def prepare
    FileUtils.chown(owner&.uid, owner&.gid, @directory)
    log = "#{@directory}/initdb.log"
    pid = as_owner(%W[#{@bindir}/initdb --pgdata=#{@directory}/data --username=postgres --auth=trust
                      --encoding=UTF8 --no-locale --no-sync], in: File::NULL, out: log, err: log)
    Process.wait(pid)
    raise "initdb failed:\n#{File.read(log)}" unless Process.last_status.success?
  end

  def command
    settings = SETTINGS.merge(unix_socket_directories: @directory, **tls)
    ["#{@bindir}/postgres", "-D", "#{@directory}/data", *settings.flat_map { |name, value| ["-c", "#{name}=#{value}"] }]
  end

  def tls
    return {} unless @tls

    { listen_addresses: "127.0.0.1", port: tls_port, ssl: "on",
      ssl_cert_file: file("certificate.pem", @tls.chain_pem), ssl_key_file: file("key.pem", @tls.key_pem) }
  end

  # Its processes have memory in common, which it gives back if it may end by itself.
  def keeper = KEEPER.sub("-KILL", "-INT")

  # It need not listen on a port.
  def accepts? = true

  # The last line of this file tells what the server is doing.
  def ready?
    pidfile = "#{@directory}/data/postmaster.pid"
    File.exist?(pidfile) && File.read(pidfile).match?(/^ready\s*\z/)
  end
end
