# frozen_string_literal: true

require "helper"
require "socket"
require "support/ruby_process"

# What it is for is tested in test/contract/io_close_test.rb, for every Ruby; here that it is there where it has to be.
class WakeOnCloseTest < Minitest::Test
  def setup
    @there = IO.ancestors.any? { |ancestor| ancestor.name == "Evented::WakeOnClose" }
  end

  def test_it_is_there_where_ruby_tells_nobody
    assert_equal RUBY_VERSION < "4.0", @there
  end

  def test_close_stays_what_it_was_outside_of_reactors
    reader, writer = IO.pipe
    assert_nil writer.close
    assert_nil writer.close
    assert_equal "", reader.read
    assert_nil reader.close
  end

  def test_subclasses_that_close_themselves_still_do
    closed = false
    klass = Class.new(TCPServer) { define_method(:close) { (closed = true) && super() } }
    klass.new("127.0.0.1", 0).close

    assert closed
  end

  def test_closing_one_end_only
    one, other = UNIXSocket.pair
    one.close_write

    assert_equal "", other.read
    other.write("x")
    assert_equal "x", one.readpartial(1)
  end

  def test_an_io_of_a_process_has_its_status
    IO.popen("exit 3", &:read)
    assert_equal 3, $?.exitstatus
  end

  def test_closing_works_in_another_ractor
    assert_equal "closed\n", output_of_ruby(<<~RUBY)
      Warning[:experimental] = false
      puts Ractor.new { File.open("/dev/null").close || "closed" }.then { |ractor| ractor.respond_to?(:value) ? ractor.value : ractor.take }
    RUBY
  end
end
