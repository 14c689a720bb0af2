# frozen_string_literal: true

require "support/event_machine"
require "support/protocol_recorder"

class EMLineAndTextProtocolTest < Minitest::Test
  include ProtocolRecorder

  def setup
    @class = recording(EM::P::LineAndTextProtocol, :receive_line, :receive_binary_data, :receive_error)
    @parser = record(@class)
  end

  def test_lines_come_without_their_ends
    @parser.receive_data("a\r\nb\nc")
    @parser.receive_data("d\n\n\r\r\n")
    assert_equal ["a", "b", "cd", "", "\r"], @parser.log.map(&:last)
  end

  def test_a_text_comes_whole_and_lines_again_after_it
    @parser.set_binary_mode(4)
    %W[ab cdef\ng\n].each { |piece| @parser.receive_data(+piece) }
    assert_equal [[:receive_binary_data, "abcd"], [:receive_line, "ef"], [:receive_line, "g"]], @parser.log
  end

  def test_a_text_asked_for_by_a_line_is_what_follows_it
    skip "EventMachine has made lines of it already" if ENV["EM_ORACLE"]
    @parser.reaction = ->(parser, _, line) { parser.set_binary_mode(3) if line == "x" }
    @parser.receive_data("x\nabcde\n")
    assert_equal [[:receive_line, "x"], [:receive_binary_data, "abc"], [:receive_line, "de"]], @parser.log
  end

  def test_a_text_of_no_length_comes_as_it_comes
    @parser.set_binary_mode
    %W[ab cd\n].each { |piece| @parser.receive_data(piece) }
    assert_equal %W[ab cd\n], @parser.log.map(&:last) - [""]
  end

  def test_a_text_of_zero_bytes_comes_at_once
    @parser.set_binary_mode(0)
    @parser.receive_data("a\n")
    assert_equal [[:receive_binary_data, ""], [:receive_line, "a"]], @parser.log
  end

  def test_a_text_that_is_too_long_is_refused
    assert_equal 32 * 1024 * 1024, EM::P::LineAndTextProtocol::MaxBinaryLength
    error = assert_raises(RuntimeError) { @parser.set_binary_mode(EM::P::LineAndTextProtocol::MaxBinaryLength + 1) }
    assert_equal "Overlength", error.message
    @parser.set_binary_mode(EM::P::LineAndTextProtocol::MaxBinaryLength)
  end

  def test_what_is_left_of_a_text_at_the_end_comes
    @parser.set_binary_mode(9)
    @parser.receive_data("ab")
    @parser.unbind
    assert_equal [[:receive_binary_data, "ab"]], @parser.log
  end

  def test_a_line_whose_callback_raises_closes_the_connection
    @parser.reaction = ->(_, name, _) { raise "no" if name == :receive_line }
    @parser.receive_data("a\nb\n")
    assert_equal %i[receive_line receive_error close], @parser.log.map(&:first)
  end

  def test_an_endless_line_closes_the_connection_once
    skip "EventMachine has no limit" if ENV["EM_ORACLE"]
    @parser.max_line_length = 10
    3.times { @parser.receive_data("12345678") }
    assert_equal [[:receive_error, "overlength line"], [:close]], @parser.log
  end

  def test_any_split_gives_the_same_calls
    assert_any_split_is_the_same("one\r\ntwo\n\n\r\r\nthree\n\xFF\n".b * 5) do |feed|
      record(@class).tap { |parser| feed.call(parser) }.log
    end
  end

  def test_any_garbage_is_taken
    assert_takes_any_garbage(["a", "\r", "\n"]) { record(@class) }
  end
end
