# frozen_string_literal: true

require "helper"
require "support/io_buffer"
require "support/ruby_process"
require "support/scheduled"
require "tempfile"

class IoPreadPwriteTest < Minitest::Test
  def test_reading_from_a_position_leaves_the_position_of_the_file
    with_file("0123456789") do |file|
      scheduled do
        assert_equal "345", file.pread(3, 3)
        assert_equal 0, file.pos
      end
    end
  end

  # In a process of its own: up to 3.4 Ruby calls the hook without the GVL, which ends a process that is not prepared.
  def test_writing_to_a_position
    with_file("0123456789") do |file|
      output = output_of_ruby(<<~RUBY)
        file = File.open(#{file.path.dump}, "r+")
        Thread.new do
          Fiber.set_scheduler(Evented::Scheduler.new)
          Fiber.schedule { 100.times { p file.pwrite("abc", 3) } }
        end.join
        p file.pos
      RUBY

      assert_equal "#{"3\n" * 100}0\n", output
      assert_equal "012abc6789", File.read(file.path)
    end
  end

  def test_a_position_of_a_pipe_can_not_be_written_to
    output = output_of_ruby(<<~RUBY)
      ends = IO.pipe
      Evented.run { ends.last.pwrite("x", 0) rescue p $!.class }
    RUBY

    assert_equal "Errno::ESPIPE\n", output
  end

  def test_reading_past_the_end
    with_file("01234") do |file|
      scheduled do
        assert_equal "34", file.pread(10, 3)
        assert_raises(EOFError) { file.pread(1, 5) }
      end
    end
  end

  def test_many_fibers_read_one_file
    with_file((0..99).map { |n| format("%02d", n) }.join) do |file|
      got = {}
      scheduled { 100.times { |n| Fiber.schedule { got[n] = file.pread(2, n * 2).to_i } } }

      assert_equal((0..99).to_h { |n| [n, n] }, got)
    end
  end

  def test_a_pipe_has_no_positions
    reader, = @pipe = IO.pipe
    in_company { assert_raises(Errno::ESPIPE) { reader.pread(1, 0) } }
  end

  def test_the_hooks_know_offsets_in_the_buffer
    with_file("0123456789") do |file|
      scheduled do |scheduler|
        buffer = IO::Buffer.new(6)
        assert_equal 4, scheduler.io_pread(file, buffer, 2, 4, 2)
        assert_equal "\0\0002345", buffer.get_string

        assert_equal 4, scheduler.io_pwrite(file, buffer, 0, 4, 2)
        assert_equal "2345456789", File.read(file.path)
      end
    end
  end

  def test_bad_input_is_refused
    with_file("0123456789") do |file|
      buffer = IO::Buffer.new(5)
      in_company do |scheduler|
        assert_equal(-Errno::EINVAL::Errno, scheduler.io_pread(file, buffer, 0, 1, 6))
        assert_equal(-Errno::EINVAL::Errno, scheduler.io_pwrite(file, buffer, 0, 1, 6))
        assert_raises(ArgumentError) { scheduler.io_pread(file, buffer, -1, 1, 0) }
        assert_raises(ArgumentError) { scheduler.io_pwrite(file, buffer, 0, -1, 0) }
        assert_raises(IOError) { scheduler.io_pread(file.dup.tap(&:close), buffer, 0, 1, 0) }
      end
    end
  end

  # Ruby 4.1 swaps offset and length, which then is the most that is transferred.
  def test_the_other_shapes_that_ruby_4_1_calls
    with_file("0123456789") do |file|
      scheduled do |scheduler|
        buffer = IO::Buffer.new(6)
        assert_equal 3, scheduler.__io_pread_most(file, buffer, 2, 1, 3)
        assert_equal "\000234\0\0", buffer.get_string

        assert_equal 2, scheduler.__io_pwrite_most(file, buffer, 8, 2, 2)
        assert_equal "0123456734", File.read(file.path)
        assert_equal 0, scheduler.__io_pread_most(file, buffer, 0, 0, 0)
      end
    end
  end

  private

  def with_file(content)
    Tempfile.create do |file|
      file.write(content)
      file.flush
      file.rewind
      yield file
    end
  end
end
