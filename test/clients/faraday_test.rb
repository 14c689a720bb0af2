# frozen_string_literal: true

require "helper"
require "support/http_client_tests"
require "support/scripted_server"

# Plain faraday, unchanged, with the adapter that it has by default.
class FaradayTest < Minitest::Test
  include HTTPClientTests

  client "faraday"

  def setup
    require "faraday"
    super
  rescue LoadError
    skip "the faraday gem is not installed"
  end

  def test_one_connection_of_many_fibers
    in_reactor do
      client = connect
      bodies = Array.new(20) { |n| Evented { get(client, "/#{n}")[/\d+/].to_i } }

      assert_equal (0...20).to_a, bodies.map(&:value)
    end
  end

  # As clients of language models do.
  def test_an_answer_that_comes_in_parts
    parts = ["data: 1\n\n", "data: 2\n\n", "data: [DONE]\n\n"]
    head = "HTTP/1.1 200 OK\r\nContent-Length: #{parts.sum(&:size)}\r\n\r\n"
    ScriptedServer.open(->(_) { [head, *parts] }) do |server|
      in_company do
        heard = +""
        Faraday.new("http://localhost:#{server.port}").get("/") do |request|
          request.options.on_data = proc { |part| heard << part }
        end

        assert_equal parts.join, heard
      end
    end
  end

  private

  def connect(tls: false, timeout: 5)
    Faraday.new(url(tls:), request: { timeout: }, ssl: { cert_store: })
  end

  # Without one of its own, each connection reads all certificates that the system trusts, which computes for long.
  def cert_store = @cert_store ||= OpenSSL::X509::Store.new.tap { |store| store.add_file(TLSCertificates.root_file) }

  def disconnect(client) = client.close

  def get(client, path) = client.get(path).body

  def post(client, path, body) = client.post(path, body, "Content-Type" => "text/plain").body

  def timeouts = [Faraday::TimeoutError]

  def hang_ups = [Faraday::ConnectionFailed]
end
