# frozen_string_literal: true

require "support/event_machine"
require "support/protocol_recorder"

class EMLineProtocolTest < Minitest::Test
  include ProtocolRecorder

  def setup
    @parser = record(recording(EM::P::LineProtocol, :receive_line))
  end

  def test_lines_come_without_their_ends
    @parser.receive_data("a\r\nb\nc")
    @parser.receive_data("d\n\na\rb\n")
    assert_equal ["a", "b", "cd", "", "a\rb"], @parser.log.map(&:last)
  end

  def test_receive_line_need_not_be_defined
    parser = record(recording(EM::P::LineProtocol))
    parser.receive_data("a\nb")
    assert_empty parser.log
  end

  def test_data_received_by_a_callback_stands_behind_what_is_left
    skip "EventMachine never comes back" if ENV["EM_ORACLE"]
    @parser.reaction = ->(parser, _, line) { parser.receive_data("9\n") if line == "x" }
    @parser.receive_data("x\ny\nz")
    assert_equal %w[x y z9], @parser.log.map(&:last)
  end

  def test_a_line_whose_callback_raised_does_not_come_again
    skip "in EventMachine it comes again and again" if ENV["EM_ORACLE"]
    @parser.reaction = ->(_, _, line) { raise "no" if line == "x" }
    assert_raises(RuntimeError) { @parser.receive_data("x\ny\nz") }
    @parser.receive_data("w\n")
    assert_equal %w[x y zw], @parser.log.map(&:last)
  end

  def test_lines_of_several_encodings
    skip "EventMachine joins what can't be joined" if ENV["EM_ORACLE"]
    @parser.receive_data("é\nü")
    @parser.receive_data("\xFF\n".b)
    assert_equal ["é", "ü".b << "\xFF".b], @parser.log.map(&:last)
  end

  def test_an_endless_line_closes_the_connection_once
    skip "EventMachine has no limit" if ENV["EM_ORACLE"]
    @parser.max_line_length = 10
    3.times { @parser.receive_data("12345678") }
    assert_equal [[:close]], @parser.log
  end

  def test_what_is_no_connection_raises_why
    skip "EventMachine has no limit" if ENV["EM_ORACLE"]
    parser = record(recording(EM::P::LineProtocol, closable: false))
    parser.max_line_length = 3
    assert_match(/longer than 3 bytes/, assert_raises(EM::P::Violation) { parser.receive_data("abcd\n") }.message)
  end

  def test_any_split_gives_the_same_calls
    skip "in EventMachine lines come again if nothing has come behind them yet" if ENV["EM_ORACLE"]
    assert_any_split_is_the_same("one\r\ntwo\n\n\r\r\nthree\n\xFF\n".b * 5) do |feed|
      record(@parser.class).tap { |parser| feed.call(parser) }.log
    end
  end

  def test_any_garbage_is_taken
    assert_takes_any_garbage(["a", "\r", "\n"]) { record(@parser.class) }
  end
end
