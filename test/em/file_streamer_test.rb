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

class EMFileStreamerTest < Minitest::Test
  include EMStreams

  def setup
    @log = []
    @files = []
  end

  def teardown
    @files.each(&:close!)
    super
  end

  def test_a_small_file_is_sent
    assert_equal "small", streamed("small")
    assert_equal [:done], @log
  end

  def test_a_large_file_is_sent
    content = Random.bytes(3_000_000)

    assert_equal content, streamed(content)
    assert_equal [:done], @log
  end

  def test_sizes_around_a_piece
    [16_383, 16_384, 16_385, 32_768].each do |size|
      content = Random.bytes(size)

      assert_equal content, streamed(content)
    end
  end

  def test_in_chunks_of_http
    content = Random.bytes(100_000)
    text = streamed(content, http_chunks: true)
    sizes = []
    body = String.new
    until sizes.last&.zero?
      sizes << text.slice!(/\A\h+\r\n/).hex
      body << text.slice!(0, sizes.last)
      assert_equal "\r\n", text.slice!(0, 2)
    end

    assert_equal [content, "", 16_384], [body, text, sizes.first]
    assert_equal "3\r\nabc\r\n0\r\n\r\n", streamed("abc", http_chunks: true)
  end

  def test_an_empty_file_is_nothing
    skip "EventMachine aborts, or sends two ends" if ENV["EM_ORACLE"]

    assert_equal "", streamed("")
    assert_equal "0\r\n\r\n", streamed("", http_chunks: true)
    assert_equal %i[done done], @log
  end

  def test_a_file_that_is_not_there_is_a_failure
    received do |connection|
      connection.stream_file_data("/nonexistent/file").errback do |reason|
        @log << reason
        connection.close_connection
      end
    end

    assert_equal ["file not found"], @log
  end

  def test_a_file_that_can_not_be_read_is_a_failure
    skip "EventMachine aborts" if ENV["EM_ORACLE"]
    received do |connection|
      connection.stream_file_data("/").errback do |reason|
        @log << reason.class
        connection.close_connection
      end
    end

    assert_equal [Errno::EISDIR], @log
  end

  def test_a_file_that_becomes_shorter_is_a_failure
    # What the kernel was told to send can't be sent any more; pieces are missed when they are read.
    { {} => String, { http_chunks: true } => IOError }.each do |options, reason|
      assert_equal reason, failure_of_shortened(options).class
    end
  end

  def test_a_send_data_of_ones_own_sees_what_is_sent
    seen = 0
    content = Random.bytes(200_000)
    path = file(content)
    text = received do |connection|
      connection.define_singleton_method(:send_data) do |data|
        seen += data.bytesize
        super(data)
      end
      connection.stream_file_data(path).callback { connection.close_connection_after_writing }
    end

    assert_equal [content, 200_000], [text, seen]
  end

  def test_data_and_files_leave_in_order
    head = Random.bytes(100_000)
    tail = Random.bytes(100_000)
    content = Random.bytes(2_500_000)
    path = file(content)
    text = received do |connection|
      connection.send_data(head)
      connection.stream_file_data(path).callback do
        connection.send_data(tail)
        connection.close_connection_after_writing
      end
    end

    assert_equal head + content + tail, text
  end

  def test_no_more_than_is_taken_is_read
    most = 0
    path = file("x" * 5_000_000)
    text = received do |connection|
      probe = EM.add_periodic_timer(0.001) { most = [most, connection.get_outbound_data_size].max }
      connection.stream_file_data(path).callback do
        probe.cancel
        connection.close_connection_after_writing
      end
    end

    assert_equal 5_000_000, text.bytesize
    assert_operator most, :<=, 50_000 + (ENV["EM_ORACLE"] ? 16_384 : 1024 * 1024)
  end

  def test_a_connection_that_takes_nothing_costs_next_to_nothing
    skip "EventMachine polls all the time" if ENV["EM_ORACLE"]
    path = file("x" * 50_000_000)
    used = nil
    received do |connection, client|
      client.pause
      connection.stream_file_data(path)
      EM.add_timer(0.1) do
        before = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
        EM.add_timer(0.5) do
          used = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - before
          connection.close_connection
          client.resume
        end
      end
    end

    assert_operator used, :<, 0.15
  end

  def test_a_connection_that_ends_first_is_a_failure
    skip "EventMachine calls nobody" if ENV["EM_ORACLE"]
    path = file("x" * 50_000_000)
    received do |connection, client|
      connection.stream_file_data(path).errback { |reason| @log << reason }
      EM.add_timer(0.02) { client.close_connection }
      EM.add_shutdown_hook { @log << :stopped }
      def client.unbind = EM.add_timer(0.1) { EM.stop }
    end

    assert_equal ["the connection has ended", :stopped], @log
  end

  def test_its_numbers_are_known
    assert_equal [16_384, 50_000, 16_384],
                 [EM::FileStreamer::MappingThreshold, EM::FileStreamer::BackpressureLevel, EM::FileStreamer::ChunkSize]
  end

  def test_a_small_file_can_be_sent_at_once
    sent = nil
    text = received do |connection|
      sent = connection.send_file_data(file("content"))
      connection.close_connection_after_writing
    end

    assert_equal ["content", 0], [text, sent]
  end

  def test_what_is_too_large_to_be_sent_at_once_is_refused
    received do |connection|
      error = assert_raises(RuntimeError) { connection.send_file_data(file("x" * 32_769)) }
      assert_equal "File too large.  send_file_data() supports files under 32k.", error.message
      connection.close_connection
    end
  end

  def test_what_can_not_be_sent_at_once_is_an_error
    received do |connection|
      error = assert_raises(IOError) { connection.send_file_data("/nonexistent/file") }
      assert_match(/No such file or directory/, error.message)
      connection.close_connection
    end
  end

  private

  # Why a file that becomes shorter while it is sent can't be sent.
  def failure_of_shortened(options)
    skip "EventMachine is killed by SIGBUS" if ENV["EM_ORACLE"]
    failure = nil
    path = file("x" * 10_000_000)
    received do |connection, client|
      client.pause
      streamer = connection.stream_file_data(path, options)
      File.truncate(path, 0)
      client.resume
      streamer.errback do |reason|
        failure = reason
        connection.close_connection
      end
    end
    failure
  end

  def file(content)
    @files << Tempfile.new("streamed", binmode: true)
    @files.last.write(content)
    @files.last.flush
    @files.last.path
  end

  def streamed(content, **options)
    path = file(content)
    received do |connection|
      streamer = connection.stream_file_data(path, options)
      assert_instance_of EM::FileStreamer, streamer
      streamer.callback do
        @log << :done
        connection.close_connection_after_writing
      end
    end
  end
end
