# frozen_string_literal: true

require "helper"
require "support/client_tests"
require "support/held_back"
require "support/throwaway_rabbit_mq"

# Plain bunny, unchanged, against a real RabbitMQ.
class BunnyTest < Minitest::Test
  include ClientTests
  include HeldBack

  client "bunny"
  with_remedy :c, :d

  # The first of them has RabbitMQ started.
  TIME_LIMIT = 90
  # Opening a connection takes several answers.
  IMPATIENCE = 1

  # A connection, and a channel of it that one fiber uses.
  Client = Struct.new(:session, :channel)

  def setup
    require_quietly "bunny"
    skip "rabbitmq-server is not installed" unless ThrowawayRabbitMQ.available?
    relay(ThrowawayRabbitMQ.shared.port, ThrowawayRabbitMQ.shared.tls_port)
  rescue LoadError
    skip "the bunny gem is not installed"
  end

  # As without evented, which is why another channel is needed. Should that change, then so does the table.
  def test_an_interrupted_channel_takes_the_late_answer_for_the_next
    interrupt_and_pop = lambda do
      with_clients(1) do |(client)|
        queue = client.channel.queue("", exclusive: true)
        queue.publish("1")
        wait_until { queue.message_count == 1 }
        @relay.hold
        assert_raises(Timeout::Error) { Timeout.timeout(0.05) { queue.pop } }
        queue.publish("2")
        @relay.release
        # Were the late answer dropped, this would be 2.
        wait_until { queue.pop.last }
      end
    end

    assert_equal "1", interrupt_and_pop.call
    assert_equal("1", in_reactor { interrupt_and_pop.call })
  end

  def test_a_consumer_gets_what_another_fiber_publishes
    in_company do
      with_clients(1) do |(client)|
        heard = Queue.new
        queue = client.channel.queue("", exclusive: true)
        queue.subscribe { |_, _, payload| heard << payload }
        parked { 100.times { |n| queue.publish(n.to_s) && sleep(0) } }

        assert_equal Array.new(100, &:to_s), Array.new(100) { heard.pop(timeout: 5) }
      end
    end
  end

  private

  # Its own threads read, so a connection that was cut is there again by itself.
  def connect(tls: false, timeout: 2)
    options = tls ? { tls: true, tls_ca_certificates: [TLSCertificates.root_file] } : {}
    session = Bunny.new(host: "localhost", port: relay_for(tls).port, continuation_timeout: (timeout * 1000).to_i,
                        network_recovery_interval: 0.01, logger: Logger.new(nil), **options).start
    Client.new(session, session.create_channel)
  end

  def disconnect(client)
    relays.each(&:release)
    client.session.close
  end

  # A queue for the one message.
  def ask(client, text)
    queue = client.channel.queue("", exclusive: true)
    queue.publish(text)
    queue.pop.last
  ensure
    queue&.delete unless $!
  end

  # On a channel that was interrupted the next answer would be taken for that of the next question.
  def recovered(client)
    super
    client.channel = client.session.create_channel
    client
  end

  def reconnected(client)
    wait_until { client.session.open? }
    client
  end

  def timeouts = [Timeout::Error]

  # It does not tell who waits for an answer: that one waits until its time is up.
  def hang_ups = [Timeout::Error]
end
