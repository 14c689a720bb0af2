# frozen_string_literal: true

require "helper"
require "socket"
require "support/scheduled"
require "tmpdir"

# Plain redis, unchanged, against a real server.
class RedisTest < Minitest::Test
  # A Redis server on a unix socket in a temporary directory, gone with its block.
  class ThrowawayRedis
    def self.available? = ENV.fetch("PATH").split(":").any? { |dir| File.executable?("#{dir}/redis-server") }

    def self.open
      Dir.mktmpdir("evented-redis-") do |directory|
        path = "#{directory}/redis.sock"
        pid = spawn("redis-server", "--port", "0", "--unixsocket", path, "--dir", directory, "--save", "",
                    out: File::NULL)
        yield path, pid
      ensure
        Process.kill(:TERM, pid)
        Process.wait(pid)
      end
    end
  end

  def setup
    require "redis"
    skip "redis-server is not installed" unless ThrowawayRedis.available?
  rescue LoadError
    skip "the redis gem is not installed"
  end

  def test_commands_of_many_fibers
    with_redis do |path|
      in_reactor do
        tasks = Array.new(20) { |n| Evented { connect(path) { |redis| redis.set(n, n * n) && redis.get(n).to_i } } }

        assert_equal(Array.new(20) { |n| n * n }, tasks.map(&:value))
      end
    end
  end

  def test_a_blocking_pop_lets_the_other_fibers_go_on
    with_redis do |path|
      in_company do
        popped = nil
        parked { connect(path) { |redis| popped = redis.blpop("jobs", timeout: 5) } }
        connect(path) { |redis| redis.rpush("jobs", "job") }
        wait_until { popped }

        assert_equal %w[jobs job], popped
      end
    end
  end

  def test_pipelines_and_large_values
    with_redis do |path|
      in_company do
        connect(path) do |redis|
          text = "x" * 1_000_000
          assert_equal(["OK", text, 1], redis.pipelined do |pipe|
            pipe.set("a", text) && pipe.get("a") && pipe.del("a")
          end)
        end
      end
    end
  end

  private

  def with_redis
    ThrowawayRedis.open do |path|
      wait_until { accepts?(path) }
      yield path
    end
  end

  # The socket is there before the server listens on it.
  def accepts?(path)
    UNIXSocket.new(path).close || true
  rescue Errno::ENOENT, Errno::ECONNREFUSED
    false
  end

  def connect(path)
    redis = Redis.new(path:)
    yield redis
  ensure
    redis&.close
  end
end
