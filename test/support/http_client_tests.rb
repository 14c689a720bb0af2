# frozen_string_literal: true

require "openssl"
require_relative "client_tests"
require_relative "http_server"
require_relative "tls_certificates"

# What every client is asked, of clients of HTTP: a test class says how its client asks, with `get(client, path)` and
# `post(client, path, body)`, which return the answer's body, and finds its servers at `url(tls:)`.
module HTTPClientTests
  def self.included(test_class)
    super
    test_class.include(ClientTests)
  end

  def setup
    super
    @server = HTTPServer.new
    @tls_server = HTTPServer.new(context: TLSCertificates.leaf.context)
  end

  def teardown
    [@server, @tls_server].each { |server| server&.close }
    super
  end

  def test_a_hundred_requests_at_a_time
    in_reactor do
      bodies = Array.new(100) do |n|
        Evented do
          client = connect
          get(client, "/#{n}")[/\d+/].to_i
        ensure
          disconnect(client) if client
        end
      end

      assert_equal (0...100).to_a, bodies.map(&:value)
    end
  end

  def test_a_large_body_in_both_directions
    in_company do
      with_clients(1) do |(client)|
        text = "0123456789" * 200_000

        assert_equal text.hash, post(client, "/echo", text).hash
      end
    end
  end

  private

  def url(tls: false) = tls ? "https://localhost:#{@tls_server.port}" : "http://localhost:#{@server.port}"

  def ask(client, text) = post(client, "/echo", text)

  def slow(client) = get(client, "/in/#{ClientTests::SLOW}")

  def stuck(client) = get(client, "/slow")

  def hang_up = @server.hang_up
end
