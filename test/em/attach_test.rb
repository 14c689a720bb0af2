# frozen_string_literal: true

require "support/event_machine"

# Descriptors that become connections.
class EMAttachTest < Minitest::Test
  def setup
    @log = []
  end

  def test_a_pipe_is_read_and_closed_at_its_end
    reader, writer = IO.pipe
    em do
      EM.attach(reader, Told, @log, :it, unbind: lambda { |*|
        EM.next_tick do
          EM.stop
        end
      }) { |made| @log << [:it, made.class] }
      writer.write("hello")
      EM.add_timer(0.02) { writer.close }
    end

    assert_equal [:initialize, :post_init, Told, :receive_data, :unbind], of(@log, :it)
    assert_includes @log, [:it, :receive_data, "hello"]
    assert_predicate reader, :closed?
  end

  def test_a_socket_is_read_and_written
    ours, theirs = UNIXSocket.pair
    em do
      connection = EM.attach(ours, Told, @log, :it, receive_data: ->(*) { EM.stop })
      @log << connection.send_data("ping") << connection.watch_only?
      EM.add_timer(0.02) { theirs.write(theirs.readpartial(10).sub("i", "o")) }
    end

    assert_includes @log, 4
    assert_includes @log, false
    assert_includes @log, [:it, :receive_data, "pong"]
    assert_predicate ours, :closed?
  end

  def test_a_pipe_is_written
    reader, writer = IO.pipe
    em do
      connection = EM.attach(writer, Told, @log, :it, unbind: ->(*) { EM.stop })
      connection.send_data("x" * 100_000)
      connection.close_connection_after_writing
      Thread.new { @log << [:read, reader.read.bytesize] }
    end

    stop = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 5
    Thread.pass until @log.include?([:read, 100_000]) || Process.clock_gettime(Process::CLOCK_MONOTONIC) > stop

    assert_includes @log, [:read, 100_000]
  end

  def test_it_becomes_nonblocking
    reader, writer = IO.pipe
    flags = -> { File.read("/proc/self/fdinfo/#{reader.fileno}")[/^flags:\s+(\d+)/, 1].to_i(8) }
    em do
      EM.attach(reader)
      @log << flags.call.anybits?(File::NONBLOCK)
      EM.stop
    end
    writer.close

    assert_equal [true], @log
  end

  def test_handlers_that_want_to_be_notified_are_told_to_watch
    %i[notify_readable notify_writable].each do |event|
      handler = Module.new { define_method(event) { nil } }
      em do
        @log << assert_raises(ArgumentError) { EM.attach(IO.pipe.first, handler) }.message
        EM.stop
      end
    end

    assert_equal ["notify_readable/writable with EM.attach is not supported. " \
                  "Use EM.watch(io){ |c| c.notify_readable = true }"], @log.uniq
  end

  def test_a_detached_one_stays_open
    not_of_eventmachine "closes it nevertheless"
    reader, writer = IO.pipe
    em do
      EM.attach(reader, Told, @log, :it, unbind: ->(*) { EM.add_timer(0) { EM.stop } }) do |connection|
        EM.add_timer(0.01) { @log << [:descriptor, connection.detach] }
      end
    end

    assert_includes @log, [:descriptor, reader.fileno]
    assert_includes @log, [:it, :unbind, nil]
    refute_predicate reader, :closed?
    writer.write("x")

    assert_equal "x", reader.readpartial(1)
  end

  # EventMachine raises NoMethodError in the end.
  def test_a_bare_descriptor_can_be_attached
    not_of_eventmachine "raises NoMethodError at its end"
    reader, writer = IO.pipe
    reader.autoclose = false
    em do
      EM.attach(reader.fileno, Told, @log, :it, unbind: ->(*) { EM.stop })
      writer.write("hello")
      writer.close
    end

    assert_equal [[:it, :receive_data, "hello"], [:it, :unbind, nil]], @log.last(2)
  end

  def test_what_can_not_be_written_to_any_more_ends_the_connection
    ours, theirs = UNIXSocket.pair
    em do
      connection = EM.attach(ours, Told, @log, :it, unbind: ->(*) { EM.stop })
      theirs.close
      connection.send_data("x")
    end

    assert_equal :unbind, of(@log, :it).last
  end
end
