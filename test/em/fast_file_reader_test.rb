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

require "fastfilereaderext" if ENV["EM_ORACLE"]

# Errors abort EventMachine; they are raised here.
class EMFastFileReaderTest < Minitest::Test
  MAPPER = EM::FastFileReader::Mapper

  def setup
    @file = Tempfile.new("mapped", binmode: true)
    @file.write("0123456789")
    @file.flush
    # EventMachine's warns once.
    verbose = $VERBOSE
    $VERBOSE = nil if ENV["EM_ORACLE"]
    @mapper = MAPPER.new(@file.path)
  ensure
    $VERBOSE = verbose
  end

  def teardown
    @mapper.close
    @file.close!
  end

  def test_parts_of_a_file_are_read
    assert_equal [10, "012", "9", "", "0123456789"],
                 [@mapper.size, @mapper.get_chunk(0, 3), @mapper.get_chunk(9, 1), @mapper.get_chunk(5, 0),
                  @mapper.get_chunk(0, 10)]
    assert_equal Encoding::BINARY, @mapper.get_chunk(0, 3).encoding unless ENV["EM_ORACLE"]
  end

  def test_what_is_not_in_the_file_is_refused
    skip "EventMachine aborts" if ENV["EM_ORACLE"]
    [[9, 2], [11, 1], [-1, 1], [0, -1], [11, 0]].each do |offset, length|
      assert_raises(IOError) { @mapper.get_chunk(offset, length) }
    end
  end

  def test_what_can_not_be_read_is_refused
    skip "EventMachine aborts" if ENV["EM_ORACLE"]
    assert_raises(Errno::ENOENT) { MAPPER.new("/nonexistent/file") }
    assert_raises(Errno::EISDIR) { MAPPER.new("/") }
  end

  def test_it_can_be_closed_twice_and_then_not_be_read
    2.times { assert_nil @mapper.close }
    assert_raises(IOError) { @mapper.get_chunk(0, 1) } unless ENV["EM_ORACLE"]
  end
end
