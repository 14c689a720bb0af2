# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"

class EMBufferedTokenizerTest < Minitest::Test
  TOKENIZER = ENV["EM_ORACLE"] ? ::BufferedTokenizer : Evented::EM::BufferedTokenizer

  def test_what_is_complete_comes_out_and_the_rest_waits
    tokens = TOKENIZER.new

    assert_equal([%w[a b], [], %w[cd], ["", ""], [""]],
                 %W[a\nb\nc d \n \n\n \nrest].map { |piece| tokens.extract(piece) })
    assert_equal "rest", tokens.flush
    assert_equal "", tokens.flush
  end

  def test_the_delimiter_may_be_longer_and_come_in_pieces
    tokens = TOKENIZER.new("<>")

    assert_equal([[], %w[a b], []], ["a<", ">b<>c<", "x"].map { |piece| tokens.extract(piece) })
    assert_equal "c<x", tokens.flush
    tokens = TOKENIZER.new("aab")
    assert_equal([[], [], ["xa"]], %w[xaa a b].map { |piece| tokens.extract(piece) })
  end

  def test_any_way_of_cutting_gives_the_same
    skip "EventMachine misses some delimiters of several characters" if ENV["EM_ORACLE"]
    random = Random.new(Minitest.seed)
    200.times do
      delimiter = %W[\n \r\n aab --].sample(random: random)
      text = Array.new(random.rand(1..30)) { ["a", "b", "x", "-", "\r", "\n", delimiter].sample(random: random) }.join
      tokens = TOKENIZER.new(delimiter)
      expected = text.split(delimiter, -1)
      rest = expected.pop.to_s
      got = []
      left = text.dup
      got.concat(tokens.extract(left.slice!(0, random.rand(1..4)))) until left.empty?

      assert_equal [expected, rest], [got, tokens.flush],
                   "seed #{Minitest.seed}: #{text.inspect} by #{delimiter.inspect}"
    end
  end

  def test_what_was_given_is_left_alone
    tokens = TOKENIZER.new
    piece = +"abc"
    tokens.extract(piece)
    tokens.extract("def")

    assert_equal %w[abc abcdef], [piece, tokens.flush]
  end

  def test_bytes_stay_bytes
    tokens = TOKENIZER.new
    line = (0..255).map(&:chr).join.b.delete("\n")

    assert_equal [line], tokens.extract(line + "\n".b)
    assert_equal Encoding::BINARY, tokens.extract("\xff\n".b).first.encoding
  end

  def test_a_limit_on_what_has_no_delimiter
    skip "this EventMachine has none" if ENV["EM_ORACLE"]
    tokens = TOKENIZER.new("\n", 5)
    assert_equal %w[abcde f], tokens.extract("abcde\nf\ngh")
    tokens.extract("ijk")

    assert_equal "input buffer full", assert_raises(RuntimeError) { tokens.extract("l") }.message
  end

  def test_a_long_line_in_many_small_pieces_takes_no_time_to_speak_of
    tokens = TOKENIZER.new("\r\n")
    begun = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
    piece = "x" * 10
    200_000.times { assert_empty tokens.extract(piece) }
    assert_equal ["x" * 2_000_000], tokens.extract("\r\n")
    10.times { tokens.extract("y" * 1_000_000) }
    assert_equal 10_000_000, tokens.extract("\r\n").first.bytesize

    # Each piece anew would be 200 GB to copy.
    assert_operator Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - begun, :<, 5
  end
end
