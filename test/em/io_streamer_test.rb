# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_streams"
require "tempfile"

require "em/io_streamer" if ENV["EM_ORACLE"]
require "stringio"

class EMIOStreamerTest < Minitest::Test
  include EMStreams

  def setup
    @log = []
  end

  def test_what_an_io_gives_is_sent
    content = Random.bytes(1_000_000)

    assert_equal content, streamed(StringIO.new(content))
    assert_equal [:done], @log
  end

  def test_in_chunks_of_http
    assert_equal "3\r\nabc\r\n0\r\n\r\n", streamed(StringIO.new("abc"), http_chunks: true)
  end

  def test_an_empty_io_is_nothing
    assert_equal "", streamed(StringIO.new(""))
  end

  def test_the_io_stays_open
    io = StringIO.new("abc")
    streamed(io)

    refute_predicate io, :closed?
  end

  def test_an_io_that_gives_nothing_yet_keeps_nobody_waiting
    skip "EventMachine waits for it" if ENV["EM_ORACLE"]
    reader, writer = IO.pipe
    text = received do |connection|
      EM.add_timer(0.01) { (@log << :other) && writer.write("abc") && writer.close }
      EM.fiber do
        EM::IOStreamer.new(connection, reader).callback { connection.close_connection_after_writing }
      end
    end

    assert_equal ["abc", [:other]], [text, @log]
  ensure
    [reader, writer].compact.each(&:close)
  end

  def test_an_io_that_raises_is_a_failure
    skip "EventMachine lets it out" if ENV["EM_ORACLE"]
    io = StringIO.new("abc").tap(&:close_read)
    received do |connection|
      EM::IOStreamer.new(connection, io).errback do |reason|
        @log << reason.class
        connection.close_connection
      end
    end

    assert_equal [IOError], @log
  end

  def test_its_number_is_known
    assert_equal 16_384, EM::IOStreamer::CHUNK_SIZE
  end

  private

  def streamed(io, **options)
    received do |connection|
      EM::IOStreamer.new(connection, io, options).callback do
        @log << :done
        connection.close_connection_after_writing
      end
    end
  end
end
