# frozen_string_literal: true

require "helper"
require "support/http_client_tests"

# Plain http.rb, unchanged, with connections that are kept.
class HTTPRbTest < Minitest::Test
  include HTTPClientTests

  client "http.rb"

  def setup
    require_quietly "http"
    super
  rescue LoadError
    skip "the http gem is not installed"
  end

  private

  def connect(tls: false, timeout: 5)
    HTTP.persistent(url(tls:), timeout: 60).timeout(read: timeout)
  end

  def get(client, path) = client.get(path, **tls_options(client)).to_s

  def post(client, path, body) = client.post(path, body:, **tls_options(client)).to_s

  def tls_options(_client)
    { ssl_context: OpenSSL::SSL::SSLContext.new.tap { |context| context.ca_file = TLSCertificates.root_file } }
  end

  def timeouts = [HTTP::TimeoutError]

  def hang_ups = [HTTP::ConnectionError]
end
