# frozen_string_literal: true

require_relative "relay"

# For the tests of a client whose server has no slow operations: a relay stands before it and keeps back what it says.
# The tests say which server with `relay(port)`, or `relay(port, tls_port)`, in their setup.
module HeldBack
  def teardown
    [@relay, @tls_relay].each { |relay| relay&.close }
    super
  end

  private

  def relay(server, tls_server = nil)
    @relay = Relay.new(server)
    @tls_relay = Relay.new(tls_server) if tls_server
  end

  def relays = [@relay, @tls_relay].compact

  def relay_for(tls) = tls ? @tls_relay : @relay

  def slow(client)
    relays.each { |relay| relay.hold_for(ClientTests::SLOW) }
    ask(client, "at last")
  end

  def stuck(client)
    relays.each(&:hold)
    ask(client, "never")
  end

  def recovered(client)
    relays.each(&:release)
    client
  end

  def hang_up = relays.each(&:cut)
end
