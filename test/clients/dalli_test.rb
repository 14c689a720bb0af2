# frozen_string_literal: true

require "helper"
require "support/client_tests"
require "support/held_back"
require "support/throwaway_memcached"

# Plain dalli, unchanged, against a real memcached.
class DalliTest < Minitest::Test
  include ClientTests
  include HeldBack

  client "dalli"

  def setup
    require "dalli"
    skip "memcached is not installed" unless ThrowawayMemcached.available?
    Dalli.logger.level = Logger::FATAL
    relay(ThrowawayMemcached.shared.port, ThrowawayMemcached.shared.tls_port)
  rescue LoadError
    skip "the dalli gem is not installed"
  end

  def test_many_values_at_once
    in_company do
      client = connect
      keys = Array.new(500) { |n| "many #{n}" }
      client.set_multi(keys.to_h { |key| [key, key * 10] }, 60)

      assert_equal(keys.to_h { |key| [key, key * 10] }, client.get_multi(*keys))
    ensure
      client&.close
    end
  end

  private

  def connect(tls: false, timeout: 5)
    context = (OpenSSL::SSL::SSLContext.new.tap { |own| own.ca_file = TLSCertificates.root_file } if tls)
    Dalli::Client.new("localhost:#{relay_for(tls).port}", socket_timeout: timeout, socket_max_failures: 0,
                                                          down_retry_delay: 0, ssl_context: context)
  end

  def ask(client, text)
    client.set(text[..50], text, 60) or raise Dalli::NetworkError, "not stored"
    client.get(text[..50])
  end

  def timeouts = [Dalli::NetworkError]

  def hang_ups = [Dalli::NetworkError]
end
