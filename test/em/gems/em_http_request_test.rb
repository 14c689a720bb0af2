# frozen_string_literal: true

require "helper"
require "socket"
require "support/gem_process"
require "support/scripted_server"
require "support/throwaway_certificate"
require "tempfile"
require "tmpdir"
require "zlib"

# em-http-request, unmodified, against servers of other makes.
class EMHTTPRequestTest < Minitest::Test
  TIME_LIMIT = 90

  CLIENT = <<~RUBY
    require "em-http-request"
    require "pathname"
    $VERBOSE = nil

    # Stops the reactor when all have ended.
    def finish(*requests)
      left = requests.size
      requests.each do |request|
        [:callback, :errback].each { |kind| request.public_send(kind) { (left -= 1).zero? && EM.stop } }
      end
    end

    def tell(request)
      request.callback { puts "\#{request.response_header.status} \#{request.response}" }
      request.errback { puts "failed: \#{request.error.inspect}" }
      request
    end
  RUBY

  def setup
    needs_gems("em-http-request")
  end

  def test_a_page_is_fetched
    assert_equal "200 GET /page\n", fetch(plain, 'finish tell EM::HttpRequest.new(url + "/page").get')
  end

  def test_a_body_is_posted
    said = fetch(echo, 'finish tell EM::HttpRequest.new(url + "/").post(body: "a" * 200_000)')

    assert_equal "200 #{"a" * 200_000}\n", said
  end

  def test_a_file_is_posted
    Tempfile.create("body") do |file|
      file.write("0123456789abcdef" * 20_000)
      file.flush
      said = fetch(echo, "finish tell EM::HttpRequest.new(url + '/').post(file: '#{file.path}')")

      assert_equal "200 #{"0123456789abcdef" * 20_000}\n", said
    end
  end

  def test_requests_share_a_connection_that_is_kept_alive
    said = fetch(plain, <<~RUBY) { |server| assert_equal 1, server.connections }
      connection = EM::HttpRequest.new(url)
      again = lambda do |left|
        request = tell connection.get(path: "/\#{left}", keepalive: left > 1)
        request.callback { left > 1 ? again.call(left - 1) : EM.stop }
      end
      again.call(20)
    RUBY

    assert_equal 20.downto(1).map { |left| "200 GET /#{left}\n" }.join, said
  end

  def test_requests_may_be_sent_before_the_first_is_answered
    said = fetch(plain, <<~RUBY) { |server| assert_equal 1, server.connections }
      connection = EM::HttpRequest.new(url)
      finish(*Array.new(10) { |n| tell connection.get(path: "/\#{n}", keepalive: true) })
    RUBY

    assert_equal Array.new(10) { |n| "200 GET /#{n}\n" }.join, said
  end

  def test_many_requests_at_once
    said = fetch(plain, <<~RUBY)
      finish(*Array.new(200) { |n| tell EM::HttpRequest.new(url + "/\#{n}").get })
    RUBY

    assert_equal Array.new(200) { |n| "200 GET /#{n}" }.sort, said.split("\n").sort
  end

  def test_chunks_are_put_together
    head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    parts = [head, "5\r\nhello\r\n1\r", "\n \r\n", "5\r\nworld", "\r\n0\r\n\r", "\n"]

    assert_equal "200 hello world\n", fetch(->(_) { parts }, "finish tell EM::HttpRequest.new(url).get")
  end

  def test_chunks_are_passed_on_as_they_come
    head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = Array.new(100) { |n| "#{n.to_s.size.to_s(16)}\r\n#{n}\r\n" }
    said = fetch(->(_) { [head, *body, "0\r\n\r\n"] }, <<~RUBY)
      request = EM::HttpRequest.new(url).get
      request.stream { |part| print part }
      finish request
    RUBY

    assert_equal Array.new(100, &:to_s).join, said
  end

  def test_a_compressed_body_is_unpacked
    page = Zlib.gzip("packed " * 10_000)
    parts = ["HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: #{page.bytesize}\r\n\r\n",
             *page.scan(/.{1,100}/mn)]

    assert_equal "200 #{"packed " * 10_000}\n", fetch(->(_) { parts }, "finish tell EM::HttpRequest.new(url).get")
  end

  def test_redirects_are_followed
    said = fetch(redirecting, 'finish tell EM::HttpRequest.new(url + "/3").get(redirects: 5)')

    assert_equal "200 GET /0\n", said
  end

  def test_redirects_are_followed_on_a_connection_that_is_kept_alive
    said = fetch(redirecting, <<~RUBY) { |server| assert_equal 1, server.connections }
      finish tell EM::HttpRequest.new(url + "/3").get(redirects: 5, keepalive: true)
    RUBY

    assert_equal "200 GET /0\n", said
  end

  # On the same connection object, which reconnects.
  def test_a_redirect_to_another_server_is_followed
    ScriptedServer.open(plain) do |other|
      elsewhere = ["HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:#{other.port}/there\r\n" \
                   "Connection: close\r\nContent-Length: 0\r\n\r\n"]
      said = fetch(->(_) { elsewhere }, "finish tell EM::HttpRequest.new(url).get(redirects: 1)")

      assert_equal "200 GET /there\n", said
    end
  end

  def test_a_body_without_a_length_ends_with_the_connection
    said = fetch(->(_) { ["HTTP/1.0 200 OK\r\n\r\n", "to the ", "end"] },
                 "finish tell EM::HttpRequest.new(url).get")

    assert_equal "200 to the end\n", said
  end

  def test_a_port_where_nobody_listens_is_an_error
    closed = TCPServer.open("127.0.0.1", 0) { |server| server.local_address.ip_port }
    said = output_with_em("#{CLIENT} EM.run { finish tell EM::HttpRequest.new('http://127.0.0.1:#{closed}').get }")

    assert_equal "failed: Errno::ECONNREFUSED\n", said
  end

  def test_a_name_that_does_not_exist_is_an_error
    said = output_with_em("#{CLIENT} EM.run { finish tell EM::HttpRequest.new('http://nowhere.invalid').get }")

    assert_match(/\Afailed: "unable to resolve address: .+"\n\z/, said)
  end

  def test_a_server_that_hangs_up_is_an_error
    assert_match(/\Afailed: "connection closed by server"\n\z/,
                 fetch(->(_) {}, "finish tell EM::HttpRequest.new(url).get"))
  end

  def test_a_server_that_never_answers_is_an_error
    said = fetch(->(_) { [] }, "finish tell EM::HttpRequest.new(url, inactivity_timeout: 0.2).get")

    assert_equal "failed: Errno::ETIMEDOUT\n", said
  end

  def test_a_page_over_tls
    over_tls("tls: { verify_peer: true }") { |said| assert_equal "200 GET /secure\n" * 3, said }
  end

  def test_tls_without_looking_at_the_certificate
    over_tls("tls: { verify_peer: false }", trusted: false) { |said| assert_equal "200 GET /secure\n" * 3, said }
  end

  # It raises from ssl_verify_peer, out of EM.run.
  def test_a_certificate_that_nobody_knows_raises
    with_tls_server do |url, _|
      said = output_with_em(<<~RUBY)
        #{CLIENT}
        begin
          EM.run { finish tell EM::HttpRequest.new("#{url}", tls: { verify_peer: true }).get }
        rescue OpenSSL::SSL::SSLError => e
          puts e.message
        end
      RUBY

      assert_equal "unable to verify the server certificate for \"localhost\"", said.split("\n").last
    end
  end

  def test_it_fetches_from_thin_in_the_same_reactor
    needs_gems("thin")
    said = output_with_em(<<~RUBY)
      #{CLIENT}
      require "thin"
      Thin::Logging.silent = true
      app = lambda do |env|
        body = env["PATH_INFO"] == "/large" ? "x" * 1_000_000 : env["rack.input"].read
        [200, { "content-length" => body.bytesize.to_s }, [body]]
      end
      EM.run do
        server = Thin::Server.new("127.0.0.1", 0, app, signals: false)
        server.start
        url = "http://127.0.0.1:\#{server.port}"
        large = EM::HttpRequest.new(url + "/large").get
        large.callback { puts large.response.bytesize }
        finish(large, *Array.new(50) { |n| tell EM::HttpRequest.new(url).post(body: n.to_s) })
      end
    RUBY

    assert_equal [*Array.new(50) { |n| "200 #{n}" }, "1000000"].sort, said.split("\n").sort
  end

  private

  def plain = ->(head) { page(head.lines.first[/\A\w+ \S+/]) }
  def echo = ->(request) { page(request.split("\r\n\r\n", 2).last) }
  def page(body) = ["HTTP/1.1 200 OK\r\nContent-Length: #{body.bytesize}\r\n\r\n", body]

  # /3 leads to /2, that to /1, that to /0.
  def redirecting
    lambda do |head|
      left = head[%r{/(\d+)}, 1].to_i
      next plain.call(head) if left.zero?

      ["HTTP/1.1 302 Found\r\nLocation: /#{left - 1}\r\nContent-Length: 0\r\n\r\n"]
    end
  end

  # @param answer [#call] see ScriptedServer
  # @param script [String] what runs in the reactor; `url` is the server's
  # @return [String] what it wrote
  def fetch(answer, script)
    ScriptedServer.open(answer) do |server|
      output_with_em(<<~RUBY).tap { yield server if block_given? }
        #{CLIENT}
        url = "http://127.0.0.1:#{server.port}"
        EM.run { #{script} }
      RUBY
    end
  end

  def over_tls(options, trusted: true)
    with_tls_server do |url, certificate|
      env = trusted ? { "SSL_CERT_FILE" => certificate.certificate } : {}
      yield output_with_em(<<~RUBY, env: env)
        #{CLIENT}
        EM.run { finish(*Array.new(3) { tell EM::HttpRequest.new("#{url}/secure", #{options}).get }) }
      RUBY
    end
  end

  def with_tls_server
    Dir.mktmpdir do |directory|
      certificate = ThrowawayCertificate.new(directory)
      context = OpenSSL::SSL::SSLContext.new
      context.key = OpenSSL::PKey.read(File.read(certificate.key))
      context.cert = OpenSSL::X509::Certificate.new(File.read(certificate.certificate))
      ScriptedServer.open(plain, context: context) do |server|
        yield "https://localhost:#{server.port}", certificate
      end
    end
  end
end
