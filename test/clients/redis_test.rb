# frozen_string_literal: true

require "helper"
require "support/client_tests"
require "support/relay"
require "support/throwaway_redis"

# Plain redis, unchanged, against a real server.
class RedisTest < Minitest::Test
  include ClientTests

  client "redis"

  def setup
    require "redis"
    skip "redis-server is not installed" unless ThrowawayRedis.available?
    @relay = Relay.new(ThrowawayRedis.shared.port)
  rescue LoadError
    skip "the redis gem is not installed"
  end

  def teardown = @relay&.close

  def test_commands_of_many_fibers
    in_reactor do
      tasks = Array.new(20) { |n| Evented { with_redis { |redis| redis.set(n, n * n) && redis.get(n).to_i } } }

      assert_equal(Array.new(20) { |n| n * n }, tasks.map(&:value))
    end
  end

  # A Redis has a lock, so its commands follow one another.
  def test_one_client_of_many_fibers
    in_reactor do
      with_redis do |redis|
        assert_equal(Array.new(20, &:to_s), Array.new(20) { |n| Evented { redis.echo(n.to_s) } }.map(&:value))
      end
    end
  end

  def test_a_blocking_pop_lets_the_other_fibers_go_on
    in_company do
      popped = nil
      parked { with_redis { |redis| popped = redis.blpop("jobs", timeout: 5) } }
      with_redis { |redis| redis.rpush("jobs", "job") }
      wait_until { popped }

      assert_equal %w[jobs job], popped
    end
  end

  def test_pipelines_and_large_values
    in_company do
      with_redis do |redis|
        text = "x" * 1_000_000
        assert_equal(["OK", text, 1], redis.pipelined do |pipe|
          pipe.set("a", text) && pipe.get("a") && pipe.del("a")
        end)
      end
    end
  end

  private

  # It would try a second time of its own accord.
  def connect(tls: false, timeout: 5)
    Redis.new(**ThrowawayRedis.reached(@relay, tls:), timeout:, reconnect_attempts: 0)
  end

  def with_redis
    redis = connect
    yield redis
  ensure
    redis&.close
  end

  def ask(client, text) = client.echo(text)

  def slow(client) = client.blpop("nothing", timeout: SLOW).nil?

  def stuck(client) = client.call("BLPOP", "nothing", 0)

  def hang_up = @relay.cut

  def timeouts = [Redis::TimeoutError]

  def hang_ups = [Redis::ConnectionError]
end
