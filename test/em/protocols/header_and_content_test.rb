# frozen_string_literal: true

require "support/event_machine"
require "support/protocol_recorder"

class EMHeaderAndContentProtocolTest < Minitest::Test
  include ProtocolRecorder

  REQUESTS = "\n\na: 1\r\nContent-Length: 3\r\n\r\nxyzb: 2\n\ncontent-length:0\n\n"

  def setup
    @class = recording(EM::P::HeaderAndContentProtocol, :receive_request)
    @parser = record(@class)
  end

  def test_a_request_is_a_header_and_its_content
    @parser.receive_data(REQUESTS)
    assert_equal [[:receive_request, ["a: 1", "Content-Length: 3"], "xyz"], [:receive_request, ["b: 2"], ""],
                  [:receive_request, ["content-length:0"], ""]], @parser.log
  end

  def test_headers_become_a_hash
    headers = ["A-b: c", "X:y", "foo", "A-B: d", "z :  1: 2 ", "", "q:", ": z"]
    expected = { a_b: "d", x: "y", z: "1: 2 ", q: "" }
    assert_equal expected, EM::P::HeaderAndContentProtocol.headers_2_hash(headers)
    assert_equal expected, @parser.headers_2_hash(headers)
  end

  def test_a_length_that_is_no_number_is_none
    @parser.receive_data("content-length: x\n\n")
    assert_equal [[:receive_request, ["content-length: x"], ""]], @parser.log
  end

  def test_a_content_that_is_cut_off_comes_as_far_as_it_came
    @parser.receive_data("content-length: 5\n\nbc")
    @parser.unbind
    assert_equal [[:receive_request, ["content-length: 5"], "bc"]], @parser.log
  end

  def test_a_second_length_closes_the_connection
    skip "in EventMachine it leaves EM.run" if ENV["EM_ORACLE"]
    @parser.receive_data("content-length: 2\ncontent-length: 3\n\nbcd\n\n")
    assert_equal [[:close]], @parser.log
  end

  def test_more_content_than_allowed_closes_the_connection
    skip "EventMachine has no limit" if ENV["EM_ORACLE"]
    @parser.max_content_length = 10
    @parser.receive_data("content-length: 11\n\nb\n\n")
    assert_equal [[:close]], @parser.log
  end

  def test_an_endless_header_closes_the_connection
    skip "EventMachine has no limit" if ENV["EM_ORACLE"]
    @parser.max_line_length = 10
    @parser.receive_data("abc: 1\n" * 10)
    assert_equal [[:close]], @parser.log
  end

  def test_any_split_gives_the_same_calls
    assert_any_split_is_the_same(REQUESTS.b * 3) { |feed| record(@class).tap { |parser| feed.call(parser) }.log }
  end

  def test_any_garbage_is_taken
    skip "EventMachine raises" if ENV["EM_ORACLE"]
    assert_takes_any_garbage(["a: b\n", "Content-length: 5\n", "\r\n", "\n", "content-length: 999999999999\n"]) do
      record(@class)
    end
  end
end
