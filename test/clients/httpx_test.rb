# frozen_string_literal: true

require "helper"
require "support/http_client_tests"

# Plain httpx, unchanged, with sessions whose connections are kept.
class HTTPXTest < Minitest::Test
  include HTTPClientTests

  client "httpx"
  with_remedy :c, :d

  def setup
    require "httpx"
    super
  rescue LoadError
    skip "the httpx gem is not installed"
  end

  def test_one_session_of_many_fibers
    in_reactor do
      client = connect
      bodies = Array.new(20) { |n| Evented { get(client, "/#{n}")[/\d+/].to_i } }

      assert_equal (0...20).to_a, bodies.map(&:value)
    ensure
      client&.close
    end
  end

  def test_c_cancelled_without_a_session
    in_reactor do
      client = HTTPX.with(origin: url)
      [0, 0.001, 0.005].each do |seconds|
        task = Evented { client.get("/slow") }
        sleep seconds
        task.cancel
        assert_raises(Evented::Cancel) { task.value }

        assert_match "/next", client.get("/next").to_s
      end
    end
  end

  def test_requests_that_the_session_itself_makes_at_once
    in_company do
      client = connect
      answers = client.get(*(0...20).map { |n| "#{url}/#{n}" })

      assert_equal((0...20).to_a, answers.map { |answer| answer.to_s[/\d+/].to_i })
    ensure
      client&.close
    end
  end

  private

  def connect(tls: false, timeout: 5)
    HTTPX.plugin(:persistent).with(origin: url(tls:), ssl: { ca_file: TLSCertificates.root_file },
                                   timeout: { read_timeout: timeout }, max_retries: 0)
  end

  # It returns errors instead of raising them.
  def get(client, path) = client.get(path).raise_for_status.to_s

  def post(client, path, body) = client.post(path, body:).raise_for_status.to_s

  # A session that keeps its connections also keeps the interrupted request, and the next would wait for its answer.
  def recovered(client) = client.tap(&:close)

  def timeouts = [HTTPX::ReadTimeoutError]

  def hang_ups = [HTTPX::Error, EOFError, Errno::ECONNRESET]
end
