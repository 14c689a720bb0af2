# frozen_string_literal: true

require "etc"
require "fileutils"
require "socket"
require "tmpdir"

# A server program in a temporary directory, gone with its block, or with this process however it ends. A kind of server
# is a subclass that says what its program is called and how it is started.
#
#     ThrowawayRedis.open { |redis| Redis.new(port: redis.port) } if ThrowawayRedis.available?
#
# They listen on ports of 127.0.0.1 that were free a moment before.
class ThrowawayServer
  # The keeper of the server: it stops the server and removes the files once its standard input ends, which it does even
  # when this process is killed. Ctrl-C reaches the whole group, so the keeper ignores it and waits for that end.
  KEEPER = <<~SHELL
    trap '' INT
    directory=$1; shift
    "$@" >"$directory/log" 2>&1 </dev/null &
    server=$!
    read -r _
    kill -CONT $server 2>/dev/null
    kill -KILL $server 2>/dev/null
    wait $server
    rm -rf "$directory"
  SHELL

  class << self
    def open(...)
      server = new(...)
      yield server
    ensure
      server&.close
    end

    # The one for all tests of this process; it ends with it.
    def shared = @shared ||= new.tap { |own| Minitest.after_run { own.close } }

    def available? = !path_of(self::PROGRAM).nil?

    # Debian keeps some servers where only root's PATH leads.
    def path_of(program)
      paths = [*ENV.fetch("PATH").split(":"), "/usr/sbin"].map { |dir| "#{dir}/#{program}" }
      paths.find { |path| File.executable?(path) }
    end
  end

  # [Integer] where it listens, for TLS too
  attr_reader :port, :tls_port

  def initialize(start_within: 20)
    @directory = Dir.mktmpdir("evented-#{self.class::PROGRAM}-")
    @port, @tls_port = free_ports(2)
    prepare
    start
    wait_until_ready(start_within)
  rescue StandardError
    close
    raise
  end

  def close
    return FileUtils.rm_rf(@directory) unless @keeper

    @stop.close
    Process.wait(@keeper)
    @keeper = nil
  end

  private

  # What a kind of server needs in its directory.
  def prepare; end

  # @return [Array<String>] its program and arguments
  def command = raise(NotImplementedError)

  # @return [Hash] its environment
  def environment = {}

  # @return [Boolean] for what listens before it is ready
  def ready? = true

  # Most servers refuse to run as root; `nobody` exists everywhere.
  def owner = Process.euid.zero? ? Etc.getpwnam("nobody") : nil

  def path_of(program) = self.class.path_of(program)

  # @return [String] path of a file in its directory that only its owner can read
  def file(name, content)
    path = File.join(@directory, name)
    File.write(path, content, perm: 0o600)
    path
  end

  def free_ports(number)
    servers = Array.new(number) { TCPServer.new("127.0.0.1", 0) }
    servers.map { |server| server.local_address.ip_port }
  ensure
    servers&.each(&:close)
  end

  def start
    hold, @stop = IO.pipe
    command = self.command
    FileUtils.chown_R(owner&.uid, owner&.gid, @directory)
    @keeper = as_owner(["/bin/sh", "-c", keeper, "keeper", @directory, *command],
                       in: hold, out: File::NULL, err: File::NULL)
    hold.close
  end

  # Like `spawn`, which can't change the user.
  def as_owner(command, **redirections)
    Process.fork do
      if owner
        Process.initgroups(owner.name, owner.gid)
        Process::GID.change_privilege(owner.gid)
        Process::UID.change_privilege(owner.uid)
      end
      exec({ "LC_ALL" => "C" }.merge(environment), *command, chdir: @directory, **redirections)
    end
  end

  def keeper = KEEPER

  def wait_until_ready(seconds)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
    until accepts? && ready?
      if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
        raise "#{self.class::PROGRAM} was not ready within #{seconds} s:\n#{File.read("#{@directory}/log")}"
      end

      sleep 0.01
    end
  end

  def accepts?
    TCPSocket.new("127.0.0.1", @port).close || true
  rescue SystemCallError
    false
  end
end
