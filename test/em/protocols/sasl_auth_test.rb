# frozen_string_literal: true

require "support/event_machine"
require "support/protocol_recorder"
require "support/scripted_peer"

# Before that, EventMachine's client is not found.
EM::P.const_get(:SASLauth)

class EMSASLauthTest < Minitest::Test
  include ProtocolRecorder

  # EventMachine's needs something to call `super` of.
  class Base
    def post_init; end
    def unbind; end
  end

  module Checked
    include EM::P::SASLauth

    def validate(*fields) = fields == %w[u p sys realm]
  end

  def setup
    checked = Checked
    @server = recording(Class.new(Base) { include checked })
    @client = recording(Class.new(Base) { include EM::P::SASLauthclient })
  end

  def test_a_password_is_checked
    server = start(@server)
    server.receive_data(request("u", "p", "sys", "realm") + request("u", "q", "sys", "realm"))
    assert_equal "\0\2OK\0\2NO".b, server.sent
  end

  def test_answers_settle_the_questions_in_their_order
    client = start(@client)
    outcomes = []
    [%w[u p sys realm], %w[v p]].each do |fields|
      query = client.validate?(*fields)
      query.callback { outcomes << [fields.first, true] }
      query.errback { outcomes << [fields.first, false] }
    end
    assert_equal request("u", "p", "sys", "realm") + request("v", "p", "", ""), client.sent
    client.receive_data("\0\2OK\0")
    client.receive_data("\2NO")
    assert_equal [["u", true], ["v", false]], outcomes
  end

  def test_a_refusal_with_ok_in_it_is_none_the_less_a_refusal
    skip "EventMachine lets him in" if ENV["EM_ORACLE"]
    outcome = nil
    client = start(@client)
    client.validate?("u", "p").errback { outcome = :refused }
    client.receive_data("\0\x0aNO: token?")
    assert_equal :refused, outcome
  end

  def test_a_question_fails_with_its_connection
    skip "in EventMachine nobody is told" if ENV["EM_ORACLE"]
    outcome = nil
    client = start(@client)
    client.validate?("u", "p").errback { outcome = :failed }
    client.unbind
    assert_equal :failed, outcome
  end

  def test_fields_that_can_not_be_sent_are_refused
    skip "EventMachine sends wrong lengths" if ENV["EM_ORACLE"]
    assert_raises(ArgumentError) { start(@client).validate?("u" * 65_536, "p") }
    assert_raises(TypeError) { start(@client).validate?(:u, "p") }
  end

  def test_an_answer_to_no_question_closes_the_connection
    skip "in EventMachine it leaves EM.run" if ENV["EM_ORACLE"]
    client = start(@client)
    client.receive_data("\0\2OK")
    assert_equal [[:close]], client.log
  end

  def test_any_split_gives_the_same_answers
    data = (request("u", "p", "sys", "realm") + request("", "", "", "")) * 3
    assert_any_split_is_the_same(data) { |feed| start(@server).tap { |server| feed.call(server) }.sent }
  end

  def test_any_garbage_is_taken
    assert_takes_any_garbage(["\0\1a", "\0\0", "\xFF\xFF"]) { start(@server) }
    return if ENV["EM_ORACLE"]

    assert_takes_any_garbage(["\0\2OK", "\0\0"]) { start(@client).tap { |client| client.validate?("u", "p") } }
  end

  def test_client_and_server_over_a_socket
    outcomes = []
    server = Checked
    client = Module.new { include EM::P::SASLauthclient }
    em do
      port = port_of(EM.start_server("127.0.0.1", 0, server))
      EM.connect("127.0.0.1", port, client) do |connection|
        connection.validate?("u", "p", "sys", "realm").callback { outcomes << :in }
        connection.validate?("u", "x", "sys", "realm").errback do
          outcomes << :out
          EM.stop
        end
      end
    end
    assert_equal %i[in out], outcomes
  end

  private

  def start(klass) = record(klass).tap(&:post_init)

  def request(*fields) = fields.map { |field| [field.bytesize].pack("n") << field }.join.b
end
