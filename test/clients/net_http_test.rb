# frozen_string_literal: true

require "helper"
require "net/http"
require "support/http_client_tests"

# Plain Net::HTTP, unchanged.
class NetHTTPTest < Minitest::Test
  include HTTPClientTests

  client "Net::HTTP"
  with_remedy :c, :d

  PLAIN = { "Content-Type" => "text/plain" }.freeze

  # Finishing is what the block of Net::HTTP.start does when it is left.
  def test_c_cancelled_with_its_connection
    in_reactor do
      task = Evented { Net::HTTP.start("localhost", @server.port) { |http| http.get("/slow") } }
      a_few_turns
      task.cancel

      assert_raises(Evented::Cancel) { task.value }
      assert_equal "/next by connection 2", Net::HTTP.get(URI("#{url}/next"))
    end
  end

  # As without evented, which is why it has to be finished. Should that change, then so does the table.
  def test_a_kept_connection_that_was_interrupted_takes_the_late_answer_for_the_next
    interrupt_and_ask = lambda do
      Net::HTTP.start("localhost", @server.port) do |http|
        assert_raises(Timeout::Error) { Timeout.timeout(0.01) { http.get("/slow") } }
        @server.release
        http.get("/next").body
      end
    end

    assert_match "/slow", interrupt_and_ask.call
    assert_match("/slow", in_reactor { interrupt_and_ask.call })
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

  def test_a_certificate_that_nobody_vouches_for
    in_company { assert_raises(OpenSSL::SSL::SSLError) { Net::HTTP.get(URI("#{url(tls: true)}/")) } }
  end

  private

  def connect(tls: false, timeout: 5)
    Net::HTTP.start("localhost", URI(url(tls:)).port, use_ssl: tls, ca_file: TLSCertificates.root_file,
                                                      read_timeout: timeout, max_retries: 0)
  end

  def disconnect(client) = client.finish

  def get(client, path) = client.get(path).body

  def post(client, path, body) = client.post(path, body, PLAIN).body

  # It keeps a connection whose answer nobody has read, and would take that for the next one.
  def recovered(client)
    client.finish
    client.start
  end

  def timeouts = [Net::ReadTimeout]

  def hang_ups = [EOFError, Errno::ECONNRESET]
end
