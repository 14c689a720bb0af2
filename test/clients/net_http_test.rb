# frozen_string_literal: true

require "helper"
require "net/http"
require "openssl"
require "support/delayed_server"
require "support/http_server"
require "support/scheduled"

# Plain Net::HTTP, unchanged.
class NetHTTPTest < Minitest::Test
  PLAIN = { "Content-Type" => "text/plain" }.freeze

  def test_a_hundred_requests_at_a_time
    DelayedServer.open(delay: 0.1) do |server|
      started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      answers = in_reactor do
        Array.new(100) { |n| Evented { Net::HTTP.get(URI("#{server.url}/#{n}")) } }.map(&:value)
      end

      assert_equal Array.new(100) { |n| "answer to /#{n}\n" }, answers
      assert_operator Process.clock_gettime(Process::CLOCK_MONOTONIC) - started, :<, 5 # one by one they take ten
    end
  end

  def test_a_connection_that_is_kept_alive
    HTTPServer.open do |server|
      answers = in_reactor do
        Net::HTTP.start("127.0.0.1", server.port) { |http| Array.new(5) { |n| http.get("/#{n}").body } }
      end

      assert_equal Array.new(5) { |n| "/#{n} by connection 1" }, answers
    end
  end

  def test_a_kept_connection_that_the_server_has_closed_is_opened_again
    HTTPServer.open do |server|
      in_reactor do
        Net::HTTP.start("127.0.0.1", server.port) do |http|
          assert_equal "/1 by connection 1", http.get("/1").body
          server.hang_up
          assert_equal "/2 by connection 2", http.get("/2").body
        end
      end
    end
  end

  def test_a_server_by_name
    HTTPServer.open do |server|
      in_company do
        assert_equal "/ by connection 1", Net::HTTP.get(URI("http://localhost:#{server.port}/"))
      end
    end
  end

  def test_a_large_body_in_both_directions
    HTTPServer.open do |server|
      text = "0123456789" * 200_000
      in_company do
        assert_equal text.hash, Net::HTTP.post(URI("http://127.0.0.1:#{server.port}/echo"), text, PLAIN).body.hash
      end
    end
  end

  def test_an_answer_that_does_not_come_in_time
    HTTPServer.open do |server|
      in_company do
        Net::HTTP.start("127.0.0.1", server.port, read_timeout: 0.01, max_retries: 0) do |http|
          assert_raises(Net::ReadTimeout) { http.get("/slow") }
        end
        assert_match "/after", Net::HTTP.get(URI("http://127.0.0.1:#{server.port}/after"))
      end
    end
  end

  def test_a_connection_that_does_not_come_about_in_time
    in_company do
      # A listener whose backlog is full takes no more connections.
      listener = Socket.new(:INET, :STREAM)
      listener.bind(Addrinfo.tcp("127.0.0.1", 0))
      listener.listen(0)
      fillers = Array.new(3) { Socket.new(:INET, :STREAM) }
      fillers.each { |socket| socket.connect_nonblock(listener.local_address, exception: false) }

      assert_raises(Net::OpenTimeout) do
        Net::HTTP.start("127.0.0.1", listener.local_address.ip_port, open_timeout: 0.01) { flunk "it is open" }
      end
    end
  end

  def test_a_server_that_is_not_there
    port = TCPServer.open("127.0.0.1", 0) { |server| server.local_address.ip_port }
    in_company do
      assert_raises(Errno::ECONNREFUSED) { Net::HTTP.get(URI("http://127.0.0.1:#{port}/")) }
    end
  end

  def test_the_other_fibers_go_on_while_one_waits_for_its_answer
    HTTPServer.open do |server|
      in_company do
        answer = nil
        parked { answer = Net::HTTP.get(URI("http://127.0.0.1:#{server.port}/slow")) }
        3.times { sleep 0 }
        assert_nil answer

        server.release
        wait_until { answer }
        assert_equal "/slow by connection 1", answer
      end
    end
  end

  def test_tls
    HTTPServer.open(context: server_context) do |server|
      answers = in_reactor do
        Array.new(10) do |n|
          Evented do
            https(server) do |http|
              [http.get("/#{n}").body[/\d+/], http.post("/echo", "x" * 100_000, PLAIN).body.size]
            end
          end
        end.map(&:value)
      end

      assert_equal Array.new(10) { |n| [n.to_s, 100_000] }, answers
    end
  end

  def test_tls_and_an_answer_that_does_not_come_in_time
    HTTPServer.open(context: server_context) do |server|
      in_company do
        https(server, read_timeout: 0.01, max_retries: 0) do |http|
          assert_raises(Net::ReadTimeout) { http.get("/slow") }
        end
      end
    end
  end

  def test_a_certificate_that_nobody_vouches_for
    HTTPServer.open(context: server_context) do |server|
      in_company do
        assert_raises(OpenSSL::SSL::SSLError) { Net::HTTP.get(URI("https://127.0.0.1:#{server.port}/")) }
      end
    end
  end

  private

  def https(server, **, &)
    store = OpenSSL::X509::Store.new.tap { |own| own.add_cert(certificate) }
    Net::HTTP.start("localhost", server.port, use_ssl: true, cert_store: store, **, &)
  end

  def server_context
    OpenSSL::SSL::SSLContext.new.tap { |context| context.add_certificate(certificate, key) }
  end

  def key = @key ||= OpenSSL::PKey::EC.generate("prime256v1")

  # Made for this test: localhost vouches for itself, for an hour.
  def certificate
    @certificate ||= OpenSSL::X509::Certificate.new.tap do |own|
      own.version = 2
      own.serial = 1
      own.subject = own.issuer = OpenSSL::X509::Name.parse("/CN=localhost")
      own.public_key = key
      own.not_before = Time.now - 60
      own.not_after = Time.now + 3600
      extensions = OpenSSL::X509::ExtensionFactory.new(own, own)
      own.add_extension(extensions.create_extension("basicConstraints", "CA:TRUE", true))
      own.add_extension(extensions.create_extension("subjectAltName", "DNS:localhost,IP:127.0.0.1"))
      own.sign(key, "SHA256")
    end
  end
end
