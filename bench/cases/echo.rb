# frozen_string_literal: true

Bench.define do
  measures "TCP echo, each connection's next message once its last has come back; what one message costs the server"
  variants(*[1, 20, 500].product([64, 1_024, 65_536]).map { |count, size| "#{count} connections, #{size} bytes" })
  rounds 2
  serves :echo

  under_load do |server, variant, seconds|
    connections, size = variant.scan(/\d+/).map(&:to_i)
    Bench::Load.echo(server, connections: connections, size: size, seconds: seconds * 0.4)
  end
end
