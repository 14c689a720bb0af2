# frozen_string_literal: true

require "helper"
require "socket"
require "stringio"
require "support/scheduled"
require "tempfile"

class IoSelectTest < Minitest::Test
  def test_what_is_ready_comes_back_at_once
    scheduled do
      reader, writer = IO.pipe
      writer.write("x")

      assert_equal [[reader], [writer], []], IO.select([reader], [writer])
    end
  end

  def test_a_fiber_waits_until_one_of_many_is_ready
    in_company do
      pipes = Array.new(5) { IO.pipe }
      ready = nil
      parked { ready = IO.select(pipes.map(&:first)) }
      pipes[3].last.write("x")
      wait_until { ready }

      assert_equal [[pipes[3].first], [], []], ready
    end
  end

  def test_a_select_that_times_out_returns_nil
    reader, = @pipe = IO.pipe
    scheduled do
      assert_nil IO.select([reader], nil, nil, 0)
      assert_nil IO.select([reader], nil, nil, 0.001)
      assert_nil IO.select([reader], [], [], Rational(1, 1000))
      assert_nil IO.select([], nil, nil, 0.001)
    end
  end

  def test_a_timeout_of_zero_asks_the_kernel
    scheduled do
      reader, writer = IO.pipe
      writer.write("x")

      assert_equal [[reader], [], []], IO.select([reader], nil, nil, 0)
    end
  end

  def test_the_objects_that_were_given_come_back
    scheduled do
      reader, writer = IO.pipe
      wrapped = Struct.new(:to_io).new(reader)
      writer.write("x")

      assert_same wrapped, IO.select([wrapped]).first.first
    end
  end

  def test_what_ruby_has_in_its_buffer_is_ready
    scheduled do
      reader, writer = IO.pipe
      writer.write("one\ntwo\n")
      reader.gets

      assert_equal [[reader], [], []], IO.select([reader], nil, nil, 0)
    end
  end

  def test_one_stream_is_waited_for_in_both_directions
    scheduled do
      one, other = UNIXSocket.pair
      other.write("x")

      assert_equal [[one], [one], []], IO.select([one], [one])
    end
  end

  def test_a_hang_up_ends_it
    scheduled do
      reader, writer = IO.pipe
      ready = nil
      parked { ready = IO.select([reader]) }
      writer.close
      wait_until { ready }

      assert_equal [[reader], [], []], ready
    end
  end

  def test_the_other_descriptors_are_free_afterwards
    scheduled do
      pipes = Array.new(3) { IO.pipe }
      10.times do |n|
        reader, writer = pipes[n % 3]
        ready = nil
        parked { ready = IO.select(pipes.map(&:first)) }
        writer.write("x")
        wait_until { ready }
        assert_equal [[reader], [], []], ready
        assert_equal "x", reader.readpartial(10)
      end
    end
  end

  def test_no_thread_is_started_for_it
    reader, = @pipe = IO.pipe
    scheduled do
      before = Thread.list
      100.times { Fiber.schedule { IO.select([reader], nil, nil, 0.01) } }

      assert_empty Thread.list - before
    end
  end

  def test_sockets_server_side
    scheduled do
      server = TCPServer.new("127.0.0.1", 0)
      ready = nil
      parked { ready = IO.select([server]) }
      client = TCPSocket.new("127.0.0.1", server.local_address.ip_port)
      wait_until { ready }

      assert_equal [[server], [], []], ready
      assert_equal client.local_address.ip_port, server.accept.remote_address.ip_port
    end
  end

  def test_an_io_that_is_closed_meanwhile_ends_it
    in_company do
      reader, = pipe = IO.pipe
      result = nil
      parked { result = outcome { IO.select(pipe.take(1)) } }
      reader.close
      wait_until { result }

      assert_instance_of IOError, result
    end
  end

  def test_bad_input_is_refused
    reader, = @pipe = IO.pipe
    in_company do |scheduler|
      assert_raises(ArgumentError) { IO.select([reader], nil, nil, -1) }
      assert_raises(ArgumentError) { IO.select([reader], nil, nil, Float::NAN) }
      assert_raises(TypeError) { IO.select([reader], nil, nil, "soon") }
      assert_raises(TypeError) { IO.select(reader) }
      assert_raises(TypeError) { IO.select([1]) }
      assert_raises(TypeError) { IO.select([StringIO.new]) }
      assert_raises(IOError) { IO.select([reader.dup.tap(&:close)]) }
      assert_raises(ArgumentError) { scheduler.io_select }
      assert_raises(ArgumentError) { scheduler.io_select([reader], nil, nil, nil, nil) }
    end
  end

  def test_a_descriptor_that_is_not_open_is_refused
    in_company do
      reader, _reader_peer = IO.pipe
      throw_away = IO.for_fd(reader.fileno, autoclose: false)
      reader.close

      assert_raises(Errno::EBADF) { IO.select([throw_away]) }
    end
  end

  def test_only_urgent_data_is_exceptional
    in_company do
      reader, writer = IO.pipe
      writer.close
      file = Tempfile.new

      assert_equal [[reader], [], []], IO.select([reader], nil, [reader])
      assert_nil IO.select(nil, nil, [reader], 0.005)
      assert_nil IO.select(nil, nil, [file], 0.005)
      assert_nil IO.select(nil, nil, [reader, file], 0.005)
    end
  end
end
