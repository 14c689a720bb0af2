# frozen_string_literal: true

require "support/event_machine"
require "support/protocol_recorder"
require "support/scripted_peer"

class EMHttpClient2Test < Minitest::Test
  OK = "HTTP/1.1 200 OK\r\n"

  def setup
    EM::P::HttpClient2.instance_variable_set(:@warned, true)
    @stdio = [$stderr, $stdout]
    $stderr = StringIO.new
    # EventMachine prints what it doesn't understand.
    $stdout = StringIO.new if ENV["EM_ORACLE"]
  end

  def teardown
    $stderr, $stdout = @stdio
  end

  def test_an_answer_with_a_length
    (status, request), asked = ask("#{OK}Content-Length: 5\r\nX-A: b\r\nX-a:c\r\n\r\nhello") { |http| http.get("/x") }
    assert_equal :succeeded, status
    assert_equal [200, "1.1", "hello"], [request.status, request.version, request.content]
    assert_equal({ "content-length" => ["5"], "x-a" => %w[b c] }, request.headers)
    assert_equal ["HTTP/1.1 200 OK", "Content-Length: 5", "X-A: b", "X-a:c"], request.header_lines
    assert_match(%r{\AGET /x HTTP/1.1\r\nHost: 127.0.0.1:\d+\r\n\r\n\z}, asked)
  end

  def test_chunks
    data = "#{OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nX-T: r\r\n\r\n"
    (status, request), = ask(data) { |http| http.get(uri: "/") }
    assert_equal [:succeeded, "hello0123456789"], [status, request.content]
  end

  def test_answers_belong_to_the_requests_in_their_order
    data = "#{OK}Content-Length: 1\r\n\r\n1HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\n2"
    outcomes, = ask(data, count: 2) { |http| [http.get("/1"), http.request(uri: "/2", verb: "DELETE")] }
    assert_equal([[200, "1"], [404, "2"]], outcomes.map { |_, request| [request.status, request.content] })
  end

  def test_what_is_not_answered_fails
    (status,), = ask("") { |http| http.get("/") }
    assert_equal :failed, status
  end

  def test_a_content_of_unknown_length_fails
    (status, request), = ask("#{OK}X: y\r\n\r\nhello") { |http| http.get("/") }
    assert_equal [:failed, :unsupported_clen, 200], [status, request.internal_error, request.status]
  end

  def test_a_content_that_is_cut_off_fails
    skip "EventMachine takes it for the whole" if ENV["EM_ORACLE"]
    (status,), = ask("#{OK}Content-Length: 50\r\n\r\nhello") { |http| http.get("/") }
    assert_equal :failed, status
  end

  def test_what_is_no_answer_fails
    skip "EventMachine reads on somewhere" if ENV["EM_ORACLE"]
    { "foo\r\n\r\n" => :bad_request,
      "#{OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n" => :bad_chunk }.each do |data, error|
      (status, request), = ask(data) { |http| http.get("/") }
      assert_equal [:failed, error], [status, request.internal_error]
    end
  end

  def test_answers_without_a_content
    skip "EventMachine waits for it" if ENV["EM_ORACLE"]
    (status, request), = ask("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n") { |http| http.get("/") }
    assert_equal [:succeeded, 204, ""], [status, request.status, request.content]
    (status,), = ask("#{OK}Content-Length: 5\r\n\r\n") { |http| http.request(verb: "HEAD", uri: "/") }
    assert_equal :succeeded, status
  end

  def test_what_is_posted_is_sent
    skip "EventMachine forgets it" if ENV["EM_ORACLE"]
    _, asked = ask("#{OK}Content-Length: 0\r\n\r\n") do |http|
      http.post(uri: "/", content: "abc", authorization: "Basic x")
    end
    assert_match(/\APOST /, asked)
    assert_includes asked, "\r\nAuthorization: Basic x\r\n"
    assert asked.end_with?("Content-length: 3\r\n\r\nabc")
  end

  def test_the_port_stands_in_the_host_header_unless_it_is_the_usual_one
    http = EM::P::HttpClient2.allocate
    { [80, false] => "h", [443, true] => "h", [443, false] => "h:443", [80, true] => "h:80" }.each do |arguments, host|
      http.set_default_host_header("h", *arguments)
      assert_equal host, http.instance_variable_get(:@host_header)
    end
  end

  def test_it_is_deprecated_and_says_so_once
    EM::P::HttpClient2.instance_variable_set(:@warned, nil)
    2.times { ask("#{OK}Content-Length: 0\r\n\r\n") { |http| http.get("/") } }
    said = $stderr.string.lines
    assert_includes said, "HttpClient2 is deprecated and will be removed. EM-Http-Request should be used instead.\n"
    assert_equal 1, said.size unless ENV["EM_ORACLE"]
  end

  private

  # @return [Array] what came of it (or of each), and what was asked first
  def ask(answer, count: 1)
    outcomes = []
    script = lambda do |socket|
      asked = socket.readpartial(1000)
      asked << socket.readpartial(1000) until asked.scan("\r\n\r\n").size >= count
      socket.write(answer)
      asked
    end
    ScriptedPeer.open(script) do |peer|
      em do
        requests = [yield(EM::P::HttpClient2.connect(host: "127.0.0.1", port: peer.port))].flatten
        requests.each do |request|
          request.callback { finish(outcomes, [:succeeded, request], count) }
          request.errback { finish(outcomes, [:failed, request], count) }
        end
      end
      [count == 1 ? outcomes.first : outcomes, peer.seen.pop]
    end
  end

  def finish(outcomes, outcome, count)
    outcomes << outcome
    EM.stop if outcomes.size == count
  end
end
