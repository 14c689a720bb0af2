# frozen_string_literal: true

require "helper"
require "openssl"
require "support/client_tests"
require "support/line_server"
require "support/tls_certificates"

# Ruby's own OpenSSL: a socket that speaks TLS, and what computes.
class OpenSSLTest < Minitest::Test
  include ClientTests

  client "openssl"
  without_timeout_of_its_own

  def setup
    @server = LineServer.new(context: TLSCertificates.leaf.context) do |line|
      case line
      when /\Ain (.+)/ then sleep(Float(Regexp.last_match(1))) && "now"
      when "never" then nil
      else line
      end
    end
  end

  def teardown = @server.close

  # It is made without Ruby's lock, but on the thread that asks for it.
  def test_b_making_a_key_blocks_and_can_be_offloaded
    blocked, offloaded = ticks_of(-> { 3.times { OpenSSL::PKey::RSA.generate(2048) } })

    assert_operator blocked, :<=, 2
    assert_operator offloaded, :>=, 5
  end

  # With the openssl of Ruby 3.3 it keeps the lock, and a thread of its own is of no help.
  def test_b_a_key_derivation_blocks
    derive = -> { OpenSSL::KDF.pbkdf2_hmac("password", salt: "salt", iterations: 100_000, length: 32, hash: "SHA256") }

    assert_operator ticks_of(derive).first, :<=, 2
  end

  def test_g_many_handshakes_at_a_time
    in_reactor do
      tasks = Array.new(20) { |n| Evented { connect.then { |client| ask(client, n.to_s).tap { client.close } } } }

      assert_equal Array.new(20, &:to_s), tasks.map(&:value)
    end
  end

  private

  # How often the ticker ticks beside it, here and on another thread.
  def ticks_of(work)
    in_reactor do
      [-> { work.call }, -> { Evented.offload { work.call } }].map { |way| Ticker.beside { way.call }.last.ticks }
    end
  end

  def connect(**)
    context = OpenSSL::SSL::SSLContext.new
    context.set_params(ca_file: TLSCertificates.root_file)
    socket = TCPSocket.new("localhost", @server.port)
    OpenSSL::SSL::SSLSocket.new(socket, context).tap do |secured|
      secured.sync_close = true
      secured.hostname = "localhost"
      secured.connect
      secured.post_connection_check("localhost")
    end
  end

  def ask(client, text)
    client.puts(text)
    client.gets&.chomp or raise EOFError
  end

  def slow(client) = ask(client, "in #{SLOW}")

  def stuck(client) = ask(client, "never")

  def hang_up = @server.hang_up

  def reconnected(_client) = connect

  def hang_ups = [EOFError, OpenSSL::SSL::SSLError, Errno::ECONNRESET]
end
