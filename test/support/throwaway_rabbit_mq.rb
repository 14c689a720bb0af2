# frozen_string_literal: true

require_relative "throwaway_server"
require_relative "tls_certificates"

# RabbitMQ, with the Erlang port mapper that it starts.
class ThrowawayRabbitMQ < ThrowawayServer
  PROGRAM = "rabbitmq-server"
  # Debian's command in PATH only runs as root or as rabbitmq, and in the one place; the one behind it anywhere.
  SCRIPTS = ["/usr/lib/rabbitmq/bin", "/usr/local/sbin", "/opt/homebrew/sbin"].freeze

  def self.available? = !script.nil?

  def self.script = SCRIPTS.map { |dir| "#{dir}/#{PROGRAM}" }.find { |path| File.executable?(path) }

  # It takes a few seconds, if the machine has nothing else to do.
  def initialize(start_within: 60) = super

  private

  def prepare
    @distribution, @mapper = free_ports(2)
    identity = TLSCertificates.leaf
    file("rabbitmq.conf", <<~CONF)
      listeners.tcp.1 = 127.0.0.1:#{port}
      listeners.ssl.1 = 127.0.0.1:#{tls_port}
      ssl_options.certfile = #{file("certificate.pem", identity.chain_pem)}
      ssl_options.keyfile = #{file("key.pem", identity.key_pem)}
      ssl_options.cacertfile = #{file("root.pem", identity.root.pem)}
    CONF
    file("enabled_plugins", "[].")
    file("no-environment.conf", "")
  end

  def command = [self.class.script]

  def environment
    { "HOME" => @directory, "RABBITMQ_MNESIA_BASE" => "#{@directory}/mnesia", "RABBITMQ_LOG_BASE" => @directory,
      "RABBITMQ_CONFIG_FILE" => "#{@directory}/rabbitmq.conf", "RABBITMQ_LOGS" => "-", "RUNNING_UNDER_SYSTEMD" => "1",
      "RABBITMQ_ENABLED_PLUGINS_FILE" => "#{@directory}/enabled_plugins",
      "RABBITMQ_CONF_ENV_FILE" => "#{@directory}/no-environment.conf", "RABBITMQ_PID_FILE" => "#{@directory}/pid",
      "RABBITMQ_NODENAME" => "evented#{@distribution}@localhost", "RABBITMQ_DIST_PORT" => @distribution.to_s,
      "ERL_EPMD_PORT" => @mapper.to_s, "ERL_EPMD_ADDRESS" => "127.0.0.1" }
  end

  # The mapper only lets itself be ended when it has noticed that the broker has.
  def keeper
    KEEPER.sub("wait $server", <<~SHELL.chomp)
      wait $server
      for _ in 1 2 3 4 5 6 7 8 9; do epmd -kill >/dev/null && break; sleep 0.1; done
    SHELL
  end
end
