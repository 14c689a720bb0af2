# frozen_string_literal: true

require "support/event_machine"

# What callbacks raise.
class EMErrorHandlerTest < Minitest::Test
  class Boom < StandardError; end
  # No StandardError.
  class Bang < Exception; end # rubocop:disable Lint/InheritException

  EVENTS = %i[initialize post_init receive_data unbind].freeze
  # Each is given what it needs to happen, and raises.
  CALLBACKS = {
    connection_completed: ->(handler, port) { EM.connect(HOST, port, handler) },
    notify_readable: lambda { |handler, _|
      reader, writer = IO.pipe
      writer.write("x")
      EM.watch(reader, handler) { |watch| watch.notify_readable = true }
    },
    notify_writable: lambda { |handler, _|
      @reader, writer = IO.pipe
      EM.watch(writer, handler) { |watch| watch.notify_writable = true }
    },
    proxy_target_unbound: lambda { |handler, _|
      relay, target = Array.new(2) { UNIXSocket.pair.first }
      EM.enable_proxy(EM.attach(relay, handler), EM.attach(target).tap do |end_of_it|
        EM.next_tick do
          end_of_it.close_connection
        end
      end)
    },
    proxy_completed: lambda { |handler, _|
      ours, theirs = UNIXSocket.pair
      EM.enable_proxy(EM.attach(ours, handler), EM.attach(UNIXSocket.pair.first), 0, 1)
      theirs.write("xy")
    }
  }.freeze

  def setup
    @log = []
  end

  def teardown
    EM.error_handler(nil)
  end

  EVENTS.each do |event|
    define_method("test_without_a_handler_what_#{event}_raises_leaves_run") do
      error = assert_raises(Boom) { em { raising(event) } }

      assert_equal event.to_s, error.message
      refute_predicate EM, :reactor_running?
    end

    define_method("test_with_a_handler_what_#{event}_raises_is_given_to_it") do
      em do
        EM.error_handler { |error| @log << error.message }
        raising(event)
        stop_once { @log.include?(event.to_s) }
      end

      assert_includes @log, event.to_s
    end
  end

  def test_without_a_handler_what_connection_completed_raises_leaves_run
    assert_raises(Boom) do
      em do
        _, port = serve
        EM.connect(HOST, port, Told, [], :client, connection_completed: ->(_) { raise Boom })
      end
    end
  end

  {
    tick: -> { EM.next_tick { raise Boom, "tick" } },
    timer: -> { EM.add_timer(0) { raise Boom, "timer" } },
    periodic_timer: -> { EM.add_periodic_timer(0.01) { raise Boom, "periodic_timer" } },
    deferred_callback: -> { EM.defer(-> {}, ->(_) { raise Boom, "deferred_callback" }) }
  }.each do |what, raising|
    define_method("test_the_handler_is_given_what_a_#{what}_raises") do
      em do
        EM.error_handler { |error| EM.stop if @log << error.message }
        raising.call
      end

      assert_equal what.to_s, @log.first
    end
  end

  CALLBACKS.each do |event, cause|
    define_method("test_the_handler_is_given_what_#{event}_raises") do
      em do
        EM.error_handler { |error| EM.stop if @log << error.message }
        _, port = serve
        instance_exec(handler_that_raises(event), port, &cause)
      end

      assert_equal event.to_s, @log.first
    end

    define_method("test_without_a_handler_what_#{event}_raises_leaves_run_too") do
      error = assert_raises(Boom) do
        em do
          _, port = serve
          instance_exec(handler_that_raises(event), port, &cause)
        end
      end

      assert_equal event.to_s, error.message
    end
  end

  def test_what_a_hook_raises_leaves_run
    not_of_eventmachine "can not run again afterwards"
    assert_raises(Boom) do
      em do
        EM.add_shutdown_hook { raise Boom }
        EM.stop
      end
    end

    refute_predicate EM, :reactor_running?
  end

  def test_what_a_callback_of_a_process_raises_is_given_to_the_handler
    em do
      EM.error_handler { |error| EM.stop if @log << error.message }
      EM.system("true") { raise Boom, "of a process" }
    end

    assert_equal ["of a process"], @log
  end

  def test_ticks_are_called_also_when_a_deferred_callback_raises_before_them
    not_of_eventmachine "keeps them until something else wakes it up"
    em do
      EM.error_handler { |error| @log << error.message }
      EM.next_tick { @log << :tick }
      EM.defer(-> {}, ->(_) { raise Boom, "deferred" })
      stop_once { @log.size == 2 }
    end

    assert_equal ["deferred", :tick], @log.sort_by(&:to_s)
  end

  def test_the_other_ticks_are_still_called_when_one_raises
    em do
      EM.error_handler { |error| @log << error.message }
      EM.next_tick { @log << 1 }
      EM.next_tick { raise Boom, "on purpose" }
      EM.next_tick { EM.stop if @log << 2 }
    end

    assert_equal [1, "on purpose", 2], @log
  end

  def test_a_connection_goes_on_after_its_callback_has_raised
    em do
      EM.error_handler { |error| @log << error.message }
      _, port = serve(Told, [], :accepted, receive_data: lambda { |connection, data|
        raise Boom, data if data == "bad"

        connection.send_data(data)
      })
      EM.connect(HOST, port, Told, [], :client, receive_data: ->(_, data) { EM.stop if @log << data },
                                                connection_completed: lambda { |client|
                                                  client.send_data("bad")
                                                  EM.add_timer(0.02) { client.send_data("good") }
                                                })
    end

    assert_equal %w[bad good], @log
  end

  def test_what_is_no_standard_error_leaves_run_also_with_a_handler
    assert_raises(Bang) do
      em do
        EM.error_handler { |error| @log << error }
        EM.add_timer(0) { raise Bang }
      end
    end
    assert_empty @log
  end

  def test_what_unbind_raises_leaves_run_after_all_others_were_unbound
    assert_raises(Boom) do
      em do
        EM.attach(IO.pipe.first, Told, @log, :first, unbind: ->(*) { raise Boom }).close_connection
        EM.attach(IO.pipe.first, Told, @log, :second)
      end
    end
    assert_equal [%i[initialize post_init unbind]] * 2, [of(@log, :first), of(@log, :second)]
  end

  def test_what_unbind_raises_at_the_end_leaves_run
    assert_raises(Boom) do
      em do
        EM.attach(IO.pipe.first, Told, @log, :it, unbind: ->(*) { raise Boom })
        EM.stop
      end
    end
    refute_predicate EM, :reactor_running?
  end

  def test_what_the_handler_raises_leaves_run
    error = assert_raises(Boom) do
      em do
        EM.error_handler { raise Boom, "of the handler" }
        EM.add_timer(0) { raise Boom, "of the timer" }
      end
    end
    assert_equal "of the handler", error.message
  end

  def test_the_handler_stays_for_later_runs_until_it_is_removed
    EM.error_handler { |error| @log << error.message }
    EM.run { EM.add_timer(0.01) { EM.stop } and raise Boom, "handled" }
    EM.error_handler
    assert_raises(Boom) { EM.run { raise Boom } }

    assert_equal ["handled"], @log
  end

  def test_the_handler_may_be_any_callable
    EM.error_handler(->(error) { EM.stop if @log << error.message })
    EM.run { EM.add_timer(0) { raise Boom, "handled" } }

    assert_equal ["handled"], @log
  end

  def test_the_handler_is_given_the_backtrace
    em do
      EM.error_handler { |error| EM.stop if @log << error.backtrace.first }
      EM.add_timer(0) { raise Boom }
    end

    assert_match(/error_handler_test\.rb:#{__LINE__ - 3}/, @log.first)
  end

  def test_a_handler_in_place_of_an_error_of_run_itself
    assert_raises(Boom) { EM.run { raise Boom } }
    em { EM.stop if @log << :runs_again }

    assert_equal [:runs_again], @log
  end

  def test_an_exception_is_raised_once_after_hooks
    EM.add_shutdown_hook { @log << :hook }
    assert_raises(Boom) { EM.run { raise Boom } }
    em { EM.stop }

    assert_equal [:hook], @log
  end

  private

  def handler_that_raises(event)
    not_of_eventmachine "crashes" if event == :proxy_target_unbound
    Module.new do
      define_method(event) { raise Boom, event.to_s }
      define_method(:receive_data) { |_| nil }
    end
  end

  def raising(event)
    _, port = serve(Told, [], :accepted, event => ->(*) { raise Boom, event.to_s })
    TCPSocket.open(HOST, port) { |client| client.write("x") }
  end
end
