# frozen_string_literal: true

require "helper"
require "support/client_tests"
require "support/relay"
require "support/throwaway_redis"

# Plain redis-client, unchanged, against a real server.
class RedisClientTest < Minitest::Test
  include ClientTests

  client "redis-client"

  def setup
    require "redis-client"
    skip "redis-server is not installed" unless ThrowawayRedis.available?
    @relay = Relay.new(ThrowawayRedis.shared.port)
  rescue LoadError
    skip "the redis-client gem is not installed"
  end

  def teardown = @relay&.close

  def test_c_a_pool_of_which_some_users_are_cancelled
    in_reactor do
      pool = RedisClient.config(port: @relay.port).new_pool(size: 3, timeout: 5)
      20.times do |n|
        cancelled = Evented { pool.call("BLPOP", "nothing", 0) }
        others = Array.new(5) { |m| Evented { pool.call("ECHO", "#{n} #{m}") } }
        sleep 0.001
        cancelled.cancel

        assert_equal(Array.new(5) { |m| "#{n} #{m}" }, others.map(&:value))
      end
    ensure
      pool&.close
    end
  end

  private

  def connect(tls: false, timeout: 5)
    RedisClient.new(RedisClient.config(**ThrowawayRedis.reached(@relay, tls:), timeout:))
  end

  def ask(client, text) = client.call("ECHO", text)

  def slow(client) = client.call("BLPOP", "nothing", SLOW).nil?

  def stuck(client) = client.call("BLPOP", "nothing", 0)

  def hang_up = @relay.cut

  def timeouts = [RedisClient::ReadTimeoutError]

  def hang_ups = [RedisClient::ConnectionError]
end
