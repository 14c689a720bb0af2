# frozen_string_literal: true

require "etc"
require "fileutils"
require "shellwords"
require "socket"
require "tmpdir"

# A PostgreSQL cluster in a temporary directory, on a unix socket only, gone with its block (or with this process).
#
#     ThrowawayPostgres.open { |postgres| PG.connect(postgres.conninfo) } if ThrowawayPostgres.available?
#
# It is tuned to start fast and to forget: nothing is synced to the disk.
class ThrowawayPostgres
  SETTINGS = {
    listen_addresses: "", max_connections: 200, shared_buffers: "16MB",
    fsync: "off", synchronous_commit: "off", full_page_writes: "off", autovacuum: "off"
  }.freeze

  # The keeper of the server: it stops the server and removes the files once its standard input ends, which it does even
  # when this process is killed. Ctrl-C reaches the whole group, so the keeper ignores it and waits for that end.
  KEEPER = <<~SHELL
    trap '' INT
    directory=$1; shift
    "$@" >"$directory/log" 2>&1 </dev/null &
    server=$!
    read -r _
    kill -INT $server 2>/dev/null
    wait $server
    rm -rf "$directory"
  SHELL

  class << self
    def open(**)
      postgres = new(**)
      yield postgres
    ensure
      postgres&.close
    end

    def available?
      !bindir.nil?
    end

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

  # [Integer, nil] where on 127.0.0.1 it speaks TLS
  attr_reader :tls_port

  # @param start_within [Numeric] seconds
  # @param tls [TLSCertificates::Identity, nil] with which to listen on a port too, and to speak TLS there
  def initialize(start_within: 30, tls: nil)
    @tls = tls
    @tls_port = TCPServer.open("127.0.0.1", 0) { |server| server.local_address.ip_port } if tls
    @bindir = self.class.bindir or raise "no PostgreSQL found: put the directory of its `initdb` into PATH"
    @directory = Dir.mktmpdir("evented-pg-")
    FileUtils.chown(owner&.uid, owner&.gid, @directory)
    initialize_cluster
    start
    wait_until_ready(start_within)
  rescue StandardError
    close
    raise
  end

  # For PG.connect. The one user is `postgres`, and nobody is asked for a password.
  def conninfo
    "host=#{@directory} user=postgres dbname=postgres#{" port=#{tls_port}" if tls_port}"
  end

  # Path of its socket.
  def socket = "#{@directory}/.s.PGSQL.#{tls_port || 5432}"

  def close
    return FileUtils.rm_rf(@directory) unless @keeper

    @stop.close
    Process.wait(@keeper)
    @keeper = nil
  end

  private

  # PostgreSQL refuses to run as root; `postgres` exists where a distribution packaged it, `nobody` everywhere.
  def owner
    return unless Process.euid.zero?

    @owner ||= Etc::Passwd.select { |user| %w[postgres nobody].include?(user.name) }.max_by(&:name)
  end

  def initialize_cluster
    log = "#{@directory}/initdb.log"
    pid = as_owner(%W[#{@bindir}/initdb --pgdata=#{@directory}/data --username=postgres --auth=trust
                      --encoding=UTF8 --no-locale --no-sync], in: File::NULL, out: log, err: log)
    Process.wait(pid)
    raise "initdb failed:\n#{File.read(log)}" unless Process.last_status.success?
  end

  def start
    settings = SETTINGS.merge(unix_socket_directories: @directory, **tls)
                       .flat_map { |name, value| ["-c", "#{name}=#{value}"] }
    server = ["#{@bindir}/postgres", "-D", "#{@directory}/data", *settings]
    hold, @stop = IO.pipe
    @keeper = as_owner(["/bin/sh", "-c", KEEPER, "keeper", @directory, *server],
                       in: hold, out: File::NULL, err: File::NULL)
    hold.close
  end

  def tls
    return {} unless @tls

    { listen_addresses: "127.0.0.1", port: tls_port, ssl: "on",
      ssl_cert_file: own_file("certificate.pem", @tls.chain_pem), ssl_key_file: own_file("key.pem", @tls.key_pem) }
  end

  # The server refuses a key that others can read.
  def own_file(name, text)
    path = "#{@directory}/#{name}"
    File.write(path, text, perm: 0o600)
    FileUtils.chown(owner&.uid, owner&.gid, path)
    path
  end

  # Like `spawn`, which can't change the user.
  def as_owner(command, **redirections)
    Process.fork do
      if owner
        Process.initgroups(owner.name, owner.gid)
        Process::GID.change_privilege(owner.gid)
        Process::UID.change_privilege(owner.uid)
      end
      exec({ "LC_ALL" => "C" }, *command, chdir: @directory, **redirections)
    end
  end

  def wait_until_ready(seconds)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
    pidfile = "#{@directory}/data/postmaster.pid" # its last line tells what the server is doing
    until File.exist?(pidfile) && File.read(pidfile).match?(/^ready\s*\z/)
      if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
        raise "PostgreSQL was not ready within #{seconds} s:\n#{File.read("#{@directory}/log")}"
      end

      sleep 0.01
    end
  end
end
