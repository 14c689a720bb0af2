# frozen_string_literal: true

require "helper"
require "socket"
require "support/io_buffer"
require "support/scheduled"
require "tempfile"

class IoWriteTest < Minitest::Test
  LOT = "0123456789" * 100_000

  def test_a_fiber_waits_until_a_slow_reader_has_made_room
    [IO.pipe, UNIXSocket.pair].each do |reader, writer|
      scheduled do
        written = nil
        parked { written = writer.write(LOT) }
        got = reader.read(LOT.bytesize)
        wait_until { written }

        assert_equal LOT.bytesize, written
        assert_equal LOT.hash, got.hash
      end
    end
  end

  def test_lines_of_many_fibers_do_not_mix
    scheduled do
      reader, writer = IO.pipe
      writer.sync = true
      lines = Array.new(20) { |n| n.to_s * 10_000 }
      fibers = lines.map { |line| Fiber.schedule { writer.puts(line) } }
      got = Array.new(20) { reader.gets(chomp: true) }
      wait_until { fibers.none?(&:alive?) }

      assert_equal lines.map(&:hash).sort, got.map(&:hash).sort
    end
  end

  def test_nobody_reads_any_more
    [IO.pipe, UNIXSocket.pair].each do |reader, writer|
      in_company do
        result = nil
        parked { result = outcome { writer.write(LOT) } }
        reader.close
        wait_until { result }

        assert_instance_of Errno::EPIPE, result
      end
    end
  end

  def test_regular_files
    Tempfile.create do |file|
      scheduled { file.write(LOT) && file.flush }

      assert_equal LOT.hash, File.read(file.path).hash
    end
  end

  def test_writing_without_waiting_does_not_wait
    [IO.pipe, UNIXSocket.pair].each do |_reader, writer|
      scheduled do
        nil while writer.write_nonblock(LOT, exception: false).is_a?(Integer)

        assert_raises(IO::EAGAINWaitWritable) { writer.write_nonblock("x") }
      end
    end
  end

  def test_the_timeout_of_an_io_ends_a_write
    [IO.pipe, UNIXSocket.pair].each do |ends|
      in_company do
        ends.last.timeout = 0.001

        assert_raises(IO::TimeoutError) { ends.last.write(LOT) }
      end
    end
  end

  def test_the_hook_writes_what_the_buffer_holds_from_the_offset_on
    [IO.pipe, UNIXSocket.pair].each do |reader, writer|
      scheduled do |scheduler|
        assert_equal 5, scheduler.io_write(writer, IO::Buffer.for("--hello"), 0, 2)
        assert_equal "hello", reader.readpartial(10)
      end
    end
  end

  def test_the_buffer_is_locked_while_the_kernel_reads_it
    scheduled do |scheduler|
      one, other = UNIXSocket.pair
      buffer = IO::Buffer.new(LOT.bytesize)
      fiber = parked { scheduler.io_write(one, buffer, buffer.size, 0) }
      assert_predicate buffer, :locked?

      other.read(buffer.size)
      wait_until { !fiber.alive? }
      refute_predicate buffer, :locked?
    end
  end

  def test_bad_input_is_refused
    reader, writer = IO.pipe
    buffer = IO::Buffer.for("hello")
    in_company do |scheduler|
      assert_equal(-Errno::EINVAL::Errno, scheduler.io_write(writer, buffer, 0, 6))
      assert_equal(-Errno::EBADF::Errno, scheduler.io_write(reader, buffer, 5, 0))
      assert_equal 0, scheduler.io_write(writer, buffer, 0, 5)
      assert_raises(ArgumentError) { scheduler.io_write(writer, buffer, -1, 0) }
      assert_raises(ArgumentError) { scheduler.io_write(writer, buffer, 0, -1) }
      assert_raises(TypeError) { scheduler.io_write(writer, "no buffer", 1, 0) }
      assert_raises(IOError) { scheduler.io_write(writer.dup.tap(&:close), buffer, 1, 0) }
    end
  end

  # Ruby 4.1 calls io_write(io, buffer, offset, length): one transfer of at most `length` bytes.
  def test_the_shape_of_ruby_4_1_writes_at_most_the_length
    [IO.pipe, UNIXSocket.pair].each do |reader, writer|
      scheduled do |scheduler|
        buffer = IO::Buffer.for("--hello--")

        assert_equal 5, scheduler.__io_write_most(writer, buffer, 2, 5)
        assert_equal "hello", reader.readpartial(10)
        assert_equal 0, scheduler.__io_write_most(writer, buffer, 2, 0)
        assert_equal(-Errno::EINVAL::Errno, scheduler.__io_write_most(writer, buffer, 10, 1))
      end
    end
  end

  def test_the_shape_of_ruby_4_1_returns_what_one_transfer_took
    scheduled do |scheduler|
      reader, writer = IO.pipe
      count = scheduler.__io_write_most(writer, IO::Buffer.for(LOT), 0, LOT.bytesize)

      assert_includes 1...LOT.bytesize, count
      assert_equal count, reader.readpartial(LOT.bytesize).bytesize
    end
  end
end
