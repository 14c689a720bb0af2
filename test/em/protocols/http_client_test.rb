# frozen_string_literal: true

require "support/event_machine"
require "support/protocol_recorder"
require "support/scripted_peer"

class EMHttpClientTest < Minitest::Test
  def setup
    EM::P::HttpClient.instance_variable_set(:@warned, true)
    @stderr = $stderr
    $stderr = StringIO.new
  end

  def teardown
    $stderr = @stderr
  end

  def test_an_answer_with_a_length
    answer, request = ask("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello", request: "/x")
    assert_equal({ content: "hello", headers: ["HTTP/1.1 200 OK", "Content-Length: 5", "X-A: b"], status: 200 }, answer)
    assert_match(%r{\AGET /x HTTP/1.1\r\nHost: 127.0.0.1:\d+\r\nUser-agent: Ruby EventMachine\r\n\r\n\z}, request)
  end

  def test_chunks
    answer, = ask("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n")
    assert_equal "hello0123456789", answer[:content]
  end

  def test_what_is_asked
    _, request = ask("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                     verb: :post, content: %w[a bc].join, contenttype: "text/x", query_string: "a=1", cookie: "q=1",
                     host_header: "zz", version: "1.0", custom_headers: { "X-Y" => "z" },
                     basic_auth: { username: "u", password: "p" })
    assert_equal "POST /?a=1 HTTP/1.0", request.lines.first.chomp
    assert_match(/^Host: zz:\d+\r$/, request)
    ["Cookie: q=1", "X-Y: z", "Authorization: Basic dTpw", "Content-type: text/x", "Content-length: 3"].each do |line|
      assert_includes request, "\r\n#{line}\r\n"
    end
    assert request.end_with?("\r\n\r\nabc")
  end

  def test_an_answer_without_a_length_ends_with_the_connection
    skip "EventMachine gives no content" if ENV["EM_ORACLE"]
    answer, = ask("HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nhel", "lo")
    assert_equal "hello", answer[:content]
  end

  def test_an_answer_in_pieces
    skip "EventMachine wants the first line in one" if ENV["EM_ORACLE"]
    answer, = ask("HTTP/1.1 20", "0 OK\r\nContent-Len", "gth: 5\r", "\n\r\nhe", "llo")
    assert_equal ["hello", 200], answer.values_at(:content, :status)
  end

  def test_what_comes_before_the_answer_is_not_it
    skip "EventMachine takes it for the answer" if ENV["EM_ORACLE"]
    answer, = ask("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    assert_equal ["hi", 200], answer.values_at(:content, :status)
  end

  def test_answers_without_a_content
    assert_equal ["", 304], ask("HTTP/1.1 304 Not Modified\r\nX: y\r\n\r\n").first.values_at(:content, :status)
    return if ENV["EM_ORACLE"] # which waits for it

    answer, = ask("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", verb: "HEAD")
    assert_equal ["", 200], answer.values_at(:content, :status)
  end

  def test_what_is_no_answer_fails
    assert_equal({ status: 0 }, ask("foo\r\n\r\n").first)
    return if ENV["EM_ORACLE"] # which never says so

    ["", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"]
      .each do |data|
      assert_equal({ status: 0 }, ask(data).first, data)
    end
  end

  def test_over_tls
    not_of_eventmachine("asks in the clear")
    web = Module.new do
      def post_init = start_tls

      def receive_data(_)
        send_data("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        close_connection_after_writing
      end
    end
    answer = nil
    em do
      request = EM::P::HttpClient.request(host: HOST, port: port_of(EM.start_server(HOST, 0, web)), ssl: true)
      [request.method(:callback), request.method(:errback)].each do |told|
        told.call do |result|
          answer = result
          EM.stop
        end
      end
    end
    assert_equal "hello", answer[:content]
  end

  def test_a_verb_that_it_does_not_know_fails
    assert_equal({ status: 0 }, ask("", verb: "FOO").first)
  end

  def test_nobody_listens
    port = TCPServer.open("127.0.0.1", 0) { |server| server.local_address.ip_port }
    failed = nil
    em do
      EM::P::HttpClient.request(host: "127.0.0.1", port:).errback do |answer|
        failed = answer
        EM.stop
      end
    end
    assert_equal({ status: 0 }, failed)
  end

  def test_too_much_to_post_is_refused
    error = assert_raises(RuntimeError) { ask("", verb: "POST", content: "x" * ((20 * 1024 * 1024) + 1)) }
    assert_equal "oversized content in HTTP POST", error.message
  end

  def test_it_is_deprecated_and_says_so_once
    EM::P::HttpClient.instance_variable_set(:@warned, nil)
    2.times { ask("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") }
    said = $stderr.string.lines
    assert_includes said, "HttpClient is deprecated and will be removed. EM-Http-Request should be used instead.\n"
    assert_equal 1, said.size unless ENV["EM_ORACLE"]
  end

  private

  # @return [Array] what came of it, and the request
  def ask(*answer, **options)
    outcome = nil
    ScriptedPeer.open(scripted(answer)) do |peer|
      em do
        request = EM::P::HttpClient.request(host: "127.0.0.1", port: peer.port, **options)
        [request.method(:callback), request.method(:errback)].each do |told|
          told.call do |result|
            outcome = result
            EM.stop
          end
        end
      end
      [outcome, options[:verb] == "FOO" ? nil : peer.seen.pop]
    end
  end

  def scripted(pieces)
    lambda do |socket|
      request = +""
      request << socket.readpartial(1000) until request.include?("\r\n\r\n")
      request << socket.readpartial(1000) while request[/content-length: (\d+)/i,
                                                        1].to_i > request.split("\r\n\r\n", 2).last.size
      pieces.each do |piece|
        socket.write(piece)
        # So that pieces come one by one.
        sleep 0.01
      end
      request
    end
  end
end
