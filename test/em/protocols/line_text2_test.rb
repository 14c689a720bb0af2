# frozen_string_literal: true

require "support/event_machine"
require "support/protocol_recorder"

class EMLineText2Test < Minitest::Test
  include ProtocolRecorder

  OUT = "what EventMachine does not do: it looks for a delimiter in one piece at a time"
  CALLBACKS = %i[receive_line receive_binary_data receive_end_of_binary_data].freeze

  def setup
    @parser = record(recording(EM::P::LineText2, *CALLBACKS))
  end

  def test_lines_come_without_their_ends
    @parser.receive_data("a\r\nb\n\n\r\r\nc")
    assert_equal [[:receive_line, "a"], [:receive_line, "b"], [:receive_line, ""], [:receive_line, "\r"]], @parser.log
  end

  def test_a_line_may_come_in_pieces
    %w[a b].each { |piece| @parser.receive_data(piece) }
    @parser.receive_data("\nc")
    assert_equal [[:receive_line, "ab"]], @parser.log
  end

  def test_lines_keep_the_encoding_of_the_data
    @parser.receive_data("é\n")
    @parser.receive_data("é\n".b)
    assert_equal([Encoding::UTF_8, Encoding::BINARY], @parser.log.map { |_, line| line.encoding })
    refute_predicate @parser.log.last.last, :frozen?
  end

  def test_a_delimiter_may_be_set_and_keeps_the_carriage_return
    assert_equal "|", @parser.set_delimiter("|")
    @parser.receive_data("a\r|b")
    assert_equal [[:receive_line, "a\r"]], @parser.log
  end

  def test_a_symbol_and_a_number_are_delimiters
    @parser.set_delimiter(:z)
    @parser.receive_data("1z")
    @parser.set_delimiter(3)
    @parser.receive_data("23")
    assert_equal [[:receive_line, "1"], [:receive_line, "2"]], @parser.log
  end

  def test_a_delimiter_set_by_a_line_holds_for_the_rest_of_the_data
    @parser.reaction = ->(parser, _, line) { parser.set_delimiter("|") if line == "1" }
    @parser.receive_data("1\n2|3|4\n5|")
    assert_equal %w[1 2 3].push("4\n5"), @parser.log.map(&:last)
  end

  def test_a_regexp_is_a_delimiter
    @parser.set_delimiter(/[,;]/)
    @parser.receive_data("1,2;34;")
    assert_equal %w[1 2 34], @parser.log.map(&:last)
  end

  def test_a_delimiter_that_came_in_two_pieces_ends_a_line
    skip OUT if ENV["EM_ORACLE"]
    @parser.set_delimiter("<>")
    ["a<", ">b<", "c<", ">"].each { |piece| @parser.receive_data(piece) }
    assert_equal ["a", "b<c"], @parser.log.map(&:last)
  end

  def test_a_regexp_may_match_what_came_in_two_pieces
    skip OUT if ENV["EM_ORACLE"]
    @parser.set_delimiter(/\r?\n/)
    ["a\r", "\nb\n"].each { |piece| @parser.receive_data(piece) }
    assert_equal %w[a b], @parser.log.map(&:last)
  end

  def test_an_empty_delimiter_is_refused
    skip "EventMachine never comes back" if ENV["EM_ORACLE"]
    assert_raises(ArgumentError) { @parser.set_delimiter("") }
    assert_raises(ArgumentError) { @parser.set_delimiter(nil) }
  end

  def test_a_regexp_that_matches_nothing_at_all_ends_no_line
    skip "EventMachine never comes back" if ENV["EM_ORACLE"]
    @parser.set_delimiter(/x?/)
    @parser.receive_data("abxc")
    assert_equal [[:receive_line, "ab"]], @parser.log
  end

  def test_a_text_comes_whole_and_lines_again_after_it
    @parser.set_text_mode(5)
    %W[ab cdef\n g\n].each { |piece| @parser.receive_data(piece) }
    assert_equal [[:receive_binary_data, "abcde"], [:receive_end_of_binary_data], [:receive_line, "f"],
                  [:receive_line, "g"]], @parser.log
  end

  def test_a_line_may_ask_for_a_text_and_a_text_for_another
    @parser.reaction = lambda do |parser, name, line = nil|
      parser.set_binary_mode(4) if name == :receive_line && line == "1"
      parser.set_text_mode(2) if name == :receive_end_of_binary_data && parser.log.size < 4
    end
    @parser.receive_data("1\nabcdefgh\n")
    assert_equal [[:receive_line, "1"], [:receive_binary_data, "abcd"], [:receive_end_of_binary_data],
                  [:receive_binary_data, "ef"], [:receive_end_of_binary_data], [:receive_line, "gh"]], @parser.log
  end

  def test_a_text_of_no_length_comes_as_it_comes
    @parser.set_text_mode
    %W[a\n b].each { |piece| @parser.receive_data(piece) }
    @parser.set_line_mode("c\nd")
    @parser.receive_data("e\n")
    assert_equal [[:receive_binary_data, "a\n"], [:receive_binary_data, "b"], [:receive_line, "c"],
                  [:receive_line, "de"]], @parser.log
  end

  def test_a_text_of_zero_bytes_is_none
    @parser.set_text_mode(0)
    @parser.receive_data("a\n")
    assert_equal [[:receive_line, "a"]], @parser.log
  end

  def test_what_is_left_of_a_text_at_the_end_comes_without_its_end
    @parser.set_text_mode(5)
    @parser.receive_data("abc")
    @parser.unbind
    assert_equal [[:receive_binary_data, "abc"]], @parser.log
  end

  def test_what_is_left_of_a_line_at_the_end_does_not_come
    @parser.receive_data("abc")
    @parser.unbind
    assert_empty @parser.log
  end

  def test_a_parser_that_was_unbound_begins_anew
    skip "EventMachine goes on with what was left" if ENV["EM_ORACLE"]
    @parser.receive_data("abc")
    @parser.unbind
    @parser.receive_data("d\n")
    assert_equal [[:receive_line, "d"]], @parser.log
  end

  def test_data_received_by_a_callback_comes_before_what_is_left
    @parser.reaction = ->(parser, _, line) { parser.receive_data("9\n") if line == "1" }
    @parser.receive_data("1\n2\n3")
    @parser.receive_data("4\n")
    assert_equal %w[1 9 2 34], @parser.log.map(&:last)
  end

  def test_a_text_asked_for_between_two_receives_has_what_was_left_of_the_line
    skip "EventMachine forgets it" if ENV["EM_ORACLE"]
    @parser.receive_data("abc")
    @parser.set_text_mode(5)
    @parser.receive_data("def\n")
    assert_equal [[:receive_binary_data, "abcde"], [:receive_end_of_binary_data], [:receive_line, "f"]], @parser.log
  end

  def test_lines_again_before_the_end_of_a_text_forget_it
    @parser.set_text_mode(5)
    @parser.receive_data("abc")
    @parser.set_line_mode
    @parser.receive_data("d\n")
    assert_equal [[:receive_line, "d"]], @parser.log
  end

  def test_nothing_received_is_nothing
    @parser.receive_data("")
    @parser.receive_data(nil)
    assert_empty @parser.log
  end

  def test_an_endless_line_closes_the_connection_once
    skip "EventMachine has no limit" if ENV["EM_ORACLE"]
    @parser.max_line_length = 10
    3.times { @parser.receive_data("12345678") }
    @parser.receive_data("\na\n")
    assert_equal [[:close]], @parser.log
  end

  def test_a_line_as_long_as_allowed_is_taken_and_a_longer_one_is_not
    skip "EventMachine has no limit" if ENV["EM_ORACLE"]
    @parser.max_line_length = 3
    @parser.receive_data("abc\r\nabc\nabcd\nabc\n")
    assert_equal [[:receive_line, "abc"], [:receive_line, "abc"], [:close]], @parser.log
  end

  def test_what_is_no_connection_raises_why
    skip "EventMachine has no limit" if ENV["EM_ORACLE"]
    parser = record(recording(EM::P::LineText2, *CALLBACKS, closable: false))
    parser.max_line_length = 3
    error = assert_raises(EM::P::Violation) { parser.receive_data("abcd\n") }
    assert_match(/longer than 3 bytes/, error.message)
  end

  def test_the_limits_are_generous
    skip "EventMachine has no limit" if ENV["EM_ORACLE"]
    assert_equal 32 * 1024 * 1024, @parser.max_line_length
    assert_equal 256 * 1024 * 1024, @parser.max_content_length
  end

  def test_any_split_gives_the_same_calls
    skip OUT if ENV["EM_ORACLE"]
    data = "one\r\ntext 11\nabc\r\ndef\n\n12|--three--|\r\n\ntext 0\n--four--\nlast\n".b * 3
    assert_any_split_is_the_same(data) do |feed|
      parser = record(recording(EM::P::LineText2, *CALLBACKS))
      parser.reaction = lambda do |parsing, name, line = nil|
        next unless name == :receive_line

        parsing.set_text_mode(line[/\d+/].to_i) if line.start_with?("text")
        parsing.set_delimiter("--") if line.end_with?("|")
        parsing.set_delimiter("\n") if line == "four"
      end
      feed.call(parser)
      parser.log
    end
  end

  def test_any_garbage_is_taken
    assert_takes_any_garbage(["a", "\r", "\n", "\r\n", "text 5\n", "0"]) do
      record(recording(EM::P::LineText2, *CALLBACKS)).tap do |parser|
        parser.reaction = ->(parsing, _, line = "") { line.start_with?("text") && parsing.set_text_mode(5) }
      end
    end
  end

  def test_a_megabyte_of_single_bytes_takes_no_longer_than_its_bytes
    small = seconds { feed(@parser, "x" * 100_000, [1].cycle) }
    large = seconds { feed(record(@parser.class), "x" * 1_000_000, [1].cycle) }
    assert_operator large, :<, [small, 0.02].max * 40
  end

  def test_a_large_text_is_not_copied_again_and_again
    piece = "x" * 16_384
    @parser.set_text_mode(piece.bytesize * 6400)
    taken = seconds { 6400.times { @parser.receive_data(piece) } }
    assert_equal piece.bytesize * 6400, @parser.log.first.last.bytesize
    assert_operator taken, :<, 5
  end

  private

  def seconds
    from = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
    yield
    Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - from
  end
end
