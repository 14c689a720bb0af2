# frozen_string_literal: true

require "support/event_machine"
require "support/protocol_recorder"
require "support/scripted_peer"

class EMSocks4Test < Minitest::Test
  class Client < EM::P::Socks4
    attr_reader :log

    def initialize(host, port, log)
      @log = log
      super(host, port)
    end

    def post_init = @log << :post_init

    def receive_data(data) = @log << data

    def unbind
      @log << :unbind
      EM.stop
    end
  end

  def test_the_proxy_is_asked_and_what_it_relays_is_received
    log = through("\0\x5A\0\0\0\0\0\0hello") { |request| assert_equal "\4\1\0P\1\2\3\4\0".b, request }
    assert_equal [:post_init, "hello", :unbind], log
  end

  def test_the_answer_may_come_in_pieces
    log = through("\0", "\x5A\0\0\0", "\0\0\0h", "ello")
    assert_equal [:post_init, "hello", :unbind], [log.first, log[1..-2].join, log.last]
  end

  def test_a_refusal_and_garbage_close_the_connection
    assert_equal [:unbind], through("\0\x5B\0\0\0\0\0\0hello")
    assert_equal [:unbind], through("HTTP/1.0 400 Bad Request\r\n\r\n")
    assert_equal [:unbind], through("\0\x5A\0")
  end

  def test_the_code_of_a_refusal_can_be_read
    skip "EventMachine has no reader" if ENV["EM_ORACLE"]
    code = nil
    client = Class.new(Client) do
      define_method(:unbind) do
        code = socks_error_code
        super()
      end
    end
    through("\0\x5B\0\0\0\0\0\0", client:)
    assert_equal 0x5B, code
  end

  def test_the_callbacks_of_one_connection_wait_too
    skip "EventMachine's are replaced" if ENV["EM_ORACLE"]
    upcase = ->(connection) { def connection.receive_data(data) = @log << data.upcase }
    log = through("\0\x5A\0\0\0\0\0\0hello", setup: upcase)
    assert_equal [:post_init, "HELLO", :unbind], log
  end

  def test_a_name_is_resolved_to_an_ipv4_address
    through("\0\x5B\0\0\0\0\0\0", host: "localhost") { |request| assert_equal "\4\1\0P\x7F\0\0\1\0".b, request }
    assert_raises(SocketError) { through("", host: "nobody.invalid") }
  end

  private

  # @yieldparam request [String] what the proxy was asked
  def through(*answer, host: "1.2.3.4", client: Client, setup: nil)
    log = []
    proxy = lambda do |socket|
      request = socket.readpartial(100)
      answer.each do |piece|
        socket.write(piece)
        # So that pieces come one by one.
        sleep 0.01
      end
      request
    end
    ScriptedPeer.open(proxy) do |peer|
      em { EM.connect("127.0.0.1", peer.port, client, host, 80, log, &setup) }
      yield peer.seen.pop if block_given?
    end
    log
  end
end
