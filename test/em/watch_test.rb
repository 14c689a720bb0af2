# frozen_string_literal: true

require "support/event_machine"

# Descriptors that are only watched.
class EMWatchTest < Minitest::Test
  # Notes what it is notified of.
  class Watcher < EM::Connection
    def initialize(log, acts = {})
      super()
      @log = log
      @acts = acts
    end

    %i[notify_readable notify_writable unbind].each do |event|
      define_method(event) do
        @log << event
        @acts[event]&.call(self)
      end
    end
  end

  def setup
    @log = []
    @reader, @writer = IO.pipe
  end

  def teardown
    [@reader, @writer].each(&:close)
  end

  def test_nothing_is_notified_unless_asked_for
    @writer.write("x")
    em do
      watcher = EM.watch(@reader, Watcher, @log)
      assert_equal [true, false, false], [watcher.watch_only?, watcher.notify_readable?, watcher.notify_writable?]
      EM.add_timer(0.02) { EM.stop }
    end

    assert_equal [:unbind], @log
  end

  def test_watch_gives_the_block_a_connection
    em do
      watcher = EM.watch(@reader, Watcher, @log) { |given| @log << given }
      assert_same watcher, @log.shift
      EM.stop
    end
  end

  def test_readability_is_notified_as_long_as_nothing_was_read
    @writer.write("x")
    em do
      EM.watch(@reader, Watcher, @log, notify_readable: lambda { |_|
        next unless @log.size == 3

        @reader.read_nonblock(1)
        EM.add_timer(0.02) { EM.stop }
      }) { |watcher| watcher.notify_readable = true }
    end

    assert_equal %i[notify_readable notify_readable notify_readable unbind], @log
  end

  def test_readability_is_notified_when_something_comes
    em do
      watcher = EM.watch(@reader, Watcher, @log, notify_readable: ->(_) { EM.stop })
      watcher.notify_readable = true
      assert_predicate watcher, :notify_readable?
      EM.add_timer(0.02) { @log << @writer.write("x") }
    end

    assert_equal [1, :notify_readable, :unbind], @log
  end

  def test_the_end_of_a_pipe_is_readable
    em do
      EM.watch(@reader, Watcher, @log, notify_readable: lambda { |_|
        @log << raised_by { @reader.read_nonblock(1) }.class
        EM.stop
      }) { |watcher| watcher.notify_readable = true }
      EM.add_timer(0.01) { @writer.close }
    end

    assert_equal [:notify_readable, EOFError, :unbind], @log
  end

  def test_writability_is_notified_until_it_is_turned_off
    em do
      EM.watch(@writer, Watcher, @log, notify_writable: lambda { |watcher|
        next if @log.size < 3

        watcher.notify_writable = false
        EM.add_timer(0.02) { EM.stop }
      }) { |watcher| watcher.notify_writable = true }
    end

    assert_equal %i[notify_writable notify_writable notify_writable unbind], @log
  end

  def test_both_can_be_watched_at_once
    ours, theirs = UNIXSocket.pair
    theirs.write("x")
    em do
      EM.watch(ours, Watcher, @log) do |watcher|
        watcher.notify_readable = true
        watcher.notify_writable = true
      end
      stop_once { @log.uniq.size == 2 }
    end

    assert_equal %i[notify_readable notify_writable unbind], @log.uniq.sort
  ensure
    [ours, theirs].each(&:close)
  end

  def test_a_watched_descriptor_is_never_closed
    em do
      EM.watch(@reader, Watcher, @log)
      EM.stop
    end
    @writer.write("still open")

    assert_equal "still open", @reader.readpartial(100)
  end

  def test_closing_what_is_watched_ends_watching
    not_of_eventmachine "goes on watching whatever has the number"
    number = @reader.fileno
    em do
      EM.watch(@reader, Watcher, @log) { |watcher| watcher.notify_readable = true }
      EM.add_timer(0.01) do
        @reader.close
        # The number is given away at once.
        @reader, other = IO.pipe
        @log << (@reader.fileno == number)
        EM.watch(@reader, Watcher, @log, notify_readable: ->(_) { EM.stop }) do |watcher|
          watcher.notify_readable = true
        end
        other.write("x")
        other.close
      end
    end

    assert_equal [true, :notify_readable, :unbind, :unbind], @log
  end

  def test_another_thread_may_close_what_is_watched
    not_of_eventmachine "goes on watching whatever has the number"
    em do
      EM.watch(@reader, Watcher, @log, unbind: ->(_) { EM.stop }) { |watcher| watcher.notify_readable = true }
      Thread.new { @reader.close }
    end

    assert_equal [:unbind], @log
  end

  def test_detach_ends_watching_and_leaves_the_descriptor_open
    @writer.write("x")
    em do
      EM.watch(@reader, Watcher, @log, notify_readable: ->(watcher) { @log << watcher.detach },
                                       unbind: ->(_) { EM.add_timer(0.02) { EM.stop } }) do |watcher|
        watcher.notify_readable = true
      end
    end

    assert_equal [:notify_readable, @reader.fileno, :unbind], @log
    assert_equal "x", @reader.readpartial(1)
  end

  def test_it_can_be_watched_again_after_detach
    em do
      watcher = EM.watch(@reader, Watcher, @log, unbind: lambda { |_|
        EM.add_timer(0) do
          EM.watch(@reader, Watcher, @log, notify_readable: ->(_) { EM.stop }) { |other| other.notify_readable = true }
          @writer.write("x")
        end
      })
      EM.add_timer(0.01) { watcher.detach }
      keep_waking_up
    end

    assert_equal %i[unbind notify_readable unbind], @log
  end

  def test_it_can_be_detached_in_the_pass_it_was_made_in
    not_of_eventmachine "forgets to unbind"
    em { EM.watch(@reader, Watcher, @log, unbind: ->(_) { EM.stop }).detach }

    assert_equal [:unbind], @log
  end

  # As mysql2 does.
  def test_a_bare_descriptor_can_be_watched
    em do
      EM.watch(@reader.fileno, Watcher, @log, notify_readable: lambda(&:detach),
                                              unbind: ->(_) { EM.stop }) { |watcher| watcher.notify_readable = true }
      EM.add_timer(0.01) { @writer.write("x") }
    end

    assert_equal %i[notify_readable unbind], @log
  end

  def test_what_notify_readable_raises_leaves_run
    @writer.write("x")
    error = assert_raises(IOError) do
      em do
        EM.watch(@reader, Watcher, @log, notify_readable: ->(_) { raise IOError, "on purpose" }) do |watcher|
          watcher.notify_readable = true
        end
      end
    end

    assert_equal "on purpose", error.message
  end

  def test_a_module_can_be_the_handler
    log = @log
    handler = Module.new { define_method(:notify_readable) { EM.stop if log << :readable } }
    @writer.write("x")
    em { EM.watch(@reader, handler) { |watcher| watcher.notify_readable = true } }

    assert_equal [:readable], @log
  end

  def test_what_has_no_descriptor_can_not_be_watched
    em do
      assert_raises(TypeError) { EM.watch("x") }
      assert_raises(TypeError) { EM.attach("x") }
      EM.stop
    end
  end
end
