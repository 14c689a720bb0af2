# frozen_string_literal: true

require "support/event_machine"
require "support/protocol_recorder"

require "json"

class EMObjectProtocolTest < Minitest::Test
  include ProtocolRecorder

  def setup
    @class = recording(EM::P::ObjectProtocol, :receive_object)
    @peer = record(@class)
  end

  def test_what_was_sent_is_received
    objects = [{ "a" => 1 }, [nil, :b, 2.5], "é", "x" * 100_000]
    objects.each { |object| @peer.send_object(object) }
    assert_equal objects, record(@class).tap { |peer| peer.receive_data(@peer.sent) }.log.map(&:last)
  end

  def test_a_frame_is_its_length_and_the_object
    @peer.send_object([1])
    dump = Marshal.dump([1])
    assert_equal [dump.bytesize].pack("N") + dump, @peer.sent
    assert_equal Marshal, @peer.serializer
  end

  def test_another_serializer_may_be_given
    klass = recording(EM::P::ObjectProtocol, :receive_object) { define_method(:serializer) { JSON } }
    peer = record(klass)
    peer.send_object({ "a" => [1] })
    assert_equal "\0\0\0\x09{\"a\":[1]}".b, peer.sent
    assert_equal [[:receive_object, { "a" => [1] }]], record(klass).tap { |other| other.receive_data(peer.sent) }.log
  end

  def test_receive_object_need_not_be_defined
    peer = record(recording(EM::P::ObjectProtocol))
    peer.receive_data("\0\0\0\x04".b << Marshal.dump(1))
    assert_empty peer.log
  end

  def test_what_can_not_be_loaded_closes_the_connection_and_nothing_more_is_taken
    skip "in EventMachine it leaves EM.run" if ENV["EM_ORACLE"]
    @peer.send_object(1)
    peer = record(@class)
    peer.receive_data("\0\0\0\3abc#{@peer.sent}")
    peer.receive_data(@peer.sent)
    assert_equal [[:close]], peer.log
  end

  def test_what_is_no_connection_raises_why
    skip "in EventMachine the serializer's error" if ENV["EM_ORACLE"]
    peer = record(recording(EM::P::ObjectProtocol, closable: false))
    error = assert_raises(EM::P::Violation) { peer.receive_data("\0\0\0\0") }
    assert_match(/too short/, error.message)
    assert_kind_of ArgumentError, error.cause
  end

  def test_a_longer_object_than_allowed_closes_the_connection_before_it_comes
    skip "EventMachine has no limit" if ENV["EM_ORACLE"]
    @peer.receive_data("GET / HTTP/1.0\r\n")
    assert_equal [[:close]], @peer.log
  end

  def test_an_object_whose_callback_raised_does_not_come_again
    @peer.send_object(1)
    frame = @peer.sent
    @peer.reaction = ->(_, _, object) { raise "no" if object == 1 }
    assert_raises(RuntimeError) { @peer.receive_data(frame) }
    @peer.receive_data(frame.sub("i\x06".b, "i\x07".b))
    assert_equal [1, 2], @peer.log.map(&:last)
  end

  def test_any_split_gives_the_same_calls
    5.times { |i| @peer.send_object(["x" * (i * 10), { i => nil }]) }
    assert_any_split_is_the_same(@peer.sent) { |feed| record(@class).tap { |peer| feed.call(peer) }.log }
  end

  def test_any_garbage_is_taken
    skip "EventMachine raises" if ENV["EM_ORACLE"]
    assert_takes_any_garbage(["\0\0\0\3", "\0\0\0\4\x04\bi\x06", "\x04\b", "["]) { record(@class) }
  end
end
