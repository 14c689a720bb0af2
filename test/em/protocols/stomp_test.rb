# frozen_string_literal: true

require "support/event_machine"
require "support/protocol_recorder"
require "support/scripted_peer"

class EMStompTest < Minitest::Test
  include ProtocolRecorder

  FRAMES = "CONNECTED\nsession: 1\n\n\0\nMESSAGE\r\na:b:c\r\ncontent-length: 3\r\n\r\na\0b\0\n\nERROR\n\nhello\nyou\0"
  TYPE = "content-type: text/plain; charset=UTF-8\n\n"

  def setup
    @class = recording(EM::P::Stomp) do
      define_method(:receive_msg) { |message| @log << [message.command, message.header, message.body] }
    end
    @client = record(@class)
  end

  def test_frames_are_received
    @client.receive_data(FRAMES)
    assert_equal [["CONNECTED", { "session" => "1" }, ""],
                  ["MESSAGE", { "a" => "b:c", "content-length" => "3" }, "a\0b"],
                  ["ERROR", {}, "hello\nyou"]], @client.log
  end

  def test_of_a_header_that_comes_twice_the_last_is_taken_and_what_is_none_is_not
    @client.receive_data("X\nfoo\n:x\n bar : baz \nbar:2\n\n\0")
    assert_equal [["X", { "bar" => "2" }, ""]], @client.log
  end

  def test_receive_msg_need_not_be_defined
    client = record(recording(EM::P::Stomp))
    client.receive_data(FRAMES)
    assert_empty client.log
  end

  def test_what_is_sent
    @client.connect(login: "a", passcode: "b")
    @client.send("/q", "bödy", "a" => 1)
    @client.subscribe("/q")
    @client.subscribe("/q", true)
    @client.ack("id")
    @client.send_frame("X")
    assert_equal ["CONNECT\nlogin:a\npasscode:b\ncontent-length: 0\n#{TYPE}",
                  "SEND\na:1\ndestination:/q\ncontent-length: 5\n#{TYPE}bödy".b,
                  "SUBSCRIBE\ndestination:/q\nack:auto\ncontent-length: 0\n#{TYPE}",
                  "SUBSCRIBE\ndestination:/q\nack:client\ncontent-length: 0\n#{TYPE}",
                  "ACK\nmessage-id:id\ncontent-length: 0\n#{TYPE}", "X\ncontent-length: 0\n#{TYPE}"],
                 @client.sent.split("\0")
  end

  def test_a_message_can_be_made_by_hand
    message = EM::P::Stomp::Message.new
    expected = []
    ["", "CMD", "a: b", "content-length:3", ""].each { |line| message.consume_line(line) { |what| expected << what } }
    assert_equal [[:sized_text, 4]], expected
    assert_equal ["CMD", { "a" => "b", "content-length" => "3" }], [message.command, message.headers]
  end

  def test_bad_lengths_close_the_connection
    skip "EventMachine reads on somewhere" if ENV["EM_ORACLE"]
    %w[-5 x 99999999999999999999 300000000].each do |length|
      client = record(@class)
      client.receive_data("X\ncontent-length:#{length}\n\n12345\0Y\n\n\0")
      assert_equal [[:close]], client.log, length
    end
    @client.receive_data("X\ncontent-length:5\n\n12345Y\n\n\0")
    assert_equal [[:close]], @client.log
  end

  def test_an_endless_header_closes_the_connection
    skip "EventMachine has no limit" if ENV["EM_ORACLE"]
    @client.max_line_length = 20
    @client.receive_data("X\n#{"a:b\n" * 10}")
    assert_equal [[:close]], @client.log
  end

  def test_any_split_gives_the_same_calls
    assert_any_split_is_the_same(FRAMES.b * 2) { |feed| record(@class).tap { |client| feed.call(client) }.log }
  end

  def test_any_garbage_is_taken
    skip "EventMachine raises" if ENV["EM_ORACLE"]
    assert_takes_any_garbage(["MESSAGE\n", "content-length: 3\n", "\n", "\0", "a:b\r\n", "content-length: -9\n"]) do
      record(@class)
    end
  end

  def test_a_broker_is_spoken_to
    broker = lambda do |socket|
      connect = socket.gets("\0")
      socket.write("CONNECTED\nsession: 1\n\n\0\n")
      subscribe = socket.gets("\0")
      socket.write("MESSAGE\nmessage-id: 7\ncontent-length: 5\n\nhello\0")
      [connect, subscribe, socket.gets("\0")].map { |frame| frame[/\w+/] }
    end
    bodies = []
    ScriptedPeer.open(broker) do |peer|
      client = Module.new do
        include EM::P::Stomp

        def connection_completed = connect(login: "guest", passcode: "guest")
        define_method(:unbind) { EM.stop }
        define_method(:receive_msg) do |message|
          bodies << message.body
          message.command == "CONNECTED" ? subscribe("/topic", true) : ack(message.header["message-id"])
        end
      end
      em { EM.connect("127.0.0.1", peer.port, client) }
      assert_equal %w[CONNECT SUBSCRIBE ACK], peer.seen.pop
    end
    assert_equal ["", "hello"], bodies
  end
end
