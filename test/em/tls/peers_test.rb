# frozen_string_literal: true

require "open3"
require "support/em_tls"

# Others' TLS: the openssl command, curl, and Ruby's OpenSSL.
class EMTLSPeersTest < Minitest::Test
  # Answers any request.
  class Web < EM::Connection
    def initialize(options)
      super()
      @options = options
    end

    def post_init = start_tls(@options)

    def receive_data(data)
      @request = (@request || +"") << data
      return unless @request.end_with?("\r\n\r\n")

      send_data("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
      close_connection_after_writing
    end
  end

  def test_curl_trusts_our_server_by_its_root
    ["--tlsv1.2", "--tlsv1.3"].each do |version|
      output, errors, status = command(Web, TLSCertificates.leaf.options) do |port|
        ["curl", "-sS", version, "--max-time", "10", "--cacert", root, "--resolve", "localhost:#{port}:127.0.0.1",
         "https://localhost:#{port}/"]
      end

      assert_predicate status, :success?, errors
      assert_equal "hello", output
    end
  end

  def test_curl_limited_to_tls_1_2_is_served
    output, errors = command(Web, TLSCertificates.leaf("localhost", kind: :rsa).options) do |port|
      ["curl", "-sSk", "--tls-max", "1.2", "--max-time", "10", "https://127.0.0.1:#{port}/"]
    end

    assert_equal "hello", output, errors
  end

  def test_curl_does_not_trust_a_certificate_for_nobody
    _, errors, status = command(Web, {}) do |port|
      ["curl", "-sS", "--max-time", "10", "https://127.0.0.1:#{port}/"]
    end

    refute_predicate status, :success?
    assert_match(/certificate/, errors)
  end

  def test_s_client_shows_its_certificate_and_is_shown_ours
    log = []
    options = TLSCertificates.leaf.options.merge(verify_peer: true, fail_if_no_peer_cert: true)
    mine = TLSCertificates.self_signed
    output, errors = command(Secured, log, :server, options,
                             { ssl_handshake_completed: lambda { |me|
                               me.send_data("hello s_client\n")
                               me.close_connection_after_writing
                             } }) do |port|
      ["openssl", "s_client", "-connect", "127.0.0.1:#{port}", "-servername", "a.example", "-CAfile", root,
       "-verify_return_error", "-cert", TLSCertificates.file(mine.pem), "-key", TLSCertificates.file(mine.key_pem),
       "-ign_eof"]
    end

    assert_match(/hello s_client$/, output, errors)
    assert_match(/Verification: OK/, output)
    assert_includes log, [:server, :ssl_verify_peer, mine.pem]
  end

  def test_s_client_reconnects_with_the_session_it_knows
    not_of_eventmachine("has a context for each connection")
    output, = command(Told, [], :server, { post_init: lambda(&:start_tls) }) do |port|
      ["openssl", "s_client", "-connect", "127.0.0.1:#{port}", "-tls1_2", "-reconnect"]
    end

    assert_match(/^Reused, TLSv1.2/, output)
  end

  def test_s_client_that_only_speaks_tls_1_1_is_refused
    log = []
    _, _, status = command(Secured, log, :server, {}, stop: -> { log.any? { |_, event,| event == :unbind } }) do |port|
      ["openssl", "s_client", "-connect", "127.0.0.1:#{port}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]
    end

    refute_predicate status, :success?
    refute_includes of(log, :server), :ssl_handshake_completed
  end

  def test_s_server_is_talked_to
    leaf = TLSCertificates.leaf("localhost", kind: :rsa)
    ["-tls1_2", "-tls1_3"].each do |version|
      s_server(leaf, version, "-rev") do |port|
        talk(port, { sni_hostname: "localhost" }, "abcd\n", "dcba\n")
      end
    end
  end

  def test_s_server_that_wants_a_certificate_gets_ours
    mine = TLSCertificates.leaf
    s_server(TLSCertificates.leaf("localhost", kind: :rsa), "-rev", "-Verify", "2", "-verify_return_error", "-CAfile",
             root) do |port|
      talk(port, mine.options, "abcd\n", "dcba\n")
    end
  end

  def test_s_server_is_verified
    not_of_eventmachine("verifies nothing")
    s_server(TLSCertificates.leaf, "-rev") do |port|
      talk(port, { verify: "localhost", ca_file: root }, "abcd\n", "dcba\n")
    end
  end

  def test_rubys_client_verifies_our_chain
    answer = ruby_client(TLSCertificates.leaf.options) do |context|
      context.verify_mode = OpenSSL::SSL::VERIFY_PEER
      context.cert_store = OpenSSL::X509::Store.new.tap { |store| store.add_file(root) }
      context.verify_hostname = true
    end

    assert_equal ["HELLO", "TLSv1.3"], answer
  end

  def test_rubys_client_agrees_on_a_protocol_above
    not_of_eventmachine("has no ALPN")
    protocol = nil
    ruby_client({ alpn_protocols: ["h2"] }, ->(me) { protocol = me.alpn_protocol }) do |context|
      context.alpn_protocols = ["http/1.1", "h2"]
    end

    assert_equal "h2", protocol
  end

  private

  def root = TLSCertificates.file(TLSCertificates.root.pem)

  # Runs a command against a server of this handler.
  #
  # @yieldparam port [Integer]
  # @yieldreturn [Array<String>] the command
  # @return [Array(String, String, Process::Status)]
  def command(*handler, stop: -> { true })
    outcome = nil
    em(limit: 20) do
      _, port = serve(*handler)
      Thread.new { outcome = Open3.capture3(*yield(port), stdin_data: "") }
      stop_once { outcome && stop.call }
    end
    outcome
  end

  def s_server(identity, *options)
    port = TCPServer.open(HOST, 0) { |server| server.addr[1] }
    input, output, process = Open3.popen2e(
      "openssl", "s_server", "-accept", "127.0.0.1:#{port}", "-cert", TLSCertificates.file(identity.chain_pem),
      "-cert_chain", TLSCertificates.file(identity.chain_pem), "-key", TLSCertificates.file(identity.key_pem), *options
    )
    output.each_line { |line| break if line.include?("ACCEPT") }
    yield port
  ensure
    Process.kill(:KILL, process.pid) if process
    [input, output].each { |io| io&.close }
    process&.join
  end

  def talk(port, options, said, answered)
    heard = +""
    em do
      EM.connect(HOST, port, Secured, [], :client, options,
                 { ssl_handshake_completed: ->(me) { me.send_data(said) }, receive_data: ->(_, data) { heard << data },
                   unbind: ->(*) { EM.stop } })
      stop_once { heard == answered }
    end

    assert_equal answered, heard
  end

  def ruby_client(options, completed = nil, &configure)
    result = nil
    acts = { receive_data: ->(me, data) { me.send_data(data.upcase) } }
    acts[:ssl_handshake_completed] = completed if completed
    em do
      _, port = serve(Secured, [], :server, options, acts)
      thread = Thread.new { say_hello(port, &configure) }
      stop_once { result = thread.value unless thread.alive? }
    end
    result
  end

  def say_hello(port)
    context = OpenSSL::SSL::SSLContext.new
    yield context
    socket = OpenSSL::SSL::SSLSocket.new(TCPSocket.new(HOST, port), context)
    socket.sync_close = true
    socket.hostname = "localhost"
    socket.connect
    socket.write("hello")
    [socket.readpartial(5), socket.ssl_version]
  ensure
    socket&.close
  end
end
