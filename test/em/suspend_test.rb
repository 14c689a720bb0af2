# frozen_string_literal: true

require "support/event_machine"

# Callbacks that wait for something, as plain Ruby does: everything else goes on meanwhile.
class EMSuspendTest < Minitest::Test
  class Boom < StandardError; end

  def setup
    not_of_eventmachine "stops everything while a callback waits"
    @log = []
  end

  def test_timers_are_due_while_a_callback_sleeps
    em do
      EM.add_timer(0) do
        sleep 0.05
        EM.stop if @log << :slept
      end
      EM.add_timer(0.01) { @log << :timer }
    end

    assert_equal %i[timer slept], @log
  end

  def test_later_ticks_are_called_while_one_sleeps
    em do
      EM.next_tick do
        sleep 0.02
        EM.stop if @log << 1
      end
      EM.next_tick { @log << 2 }
      EM.next_tick { EM.next_tick { @log << 3 } }
    end

    assert_equal [2, 3, 1], @log
  end

  def test_the_block_of_run_may_wait
    em do
      EM.next_tick { @log << :tick }
      sleep 0.02
      EM.stop if @log << :block
    end

    assert_equal %i[tick block], @log
  end

  def test_a_callback_can_wait_for_a_queue_that_another_one_fills
    em do
      queue = Thread::Queue.new
      EM.add_timer(0) { EM.stop if @log << queue.pop }
      EM.add_timer(0.01) { queue << :filled }
    end

    assert_equal [:filled], @log
  end

  def test_a_callback_can_be_the_client_of_a_server_of_the_same_reactor
    em do
      _, port = serve(Told, [], :accepted, receive_data: ->(server, data) { server.send_data(data.upcase) })
      EM.next_tick do
        TCPSocket.open(HOST, port) do |socket|
          socket.write("hello")
          @log << socket.readpartial(100)
        end
        EM.stop
      end
    end

    assert_equal ["HELLO"], @log
  end

  def test_data_waits_for_the_callback_before_it_and_arrives_in_order
    received = +""
    em do
      _, port = serve(Told, [], :accepted, receive_data: lambda { |_, data|
        received << data
        sleep 0.01
        EM.stop if received.end_with?("done")
      })
      EM.connect(HOST, port) do |client|
        sender = EM.add_periodic_timer(0.002) do
          @log << "#{@log.size};"
          client.send_data(@log.last)
          next unless @log.size == 30

          sender.cancel
          client.send_data("done")
        end
      end
    end

    assert_equal "#{@log.join}done", received
  end

  def test_unbind_waits_for_a_callback_of_its_connection
    em do
      _, port = serve(Told, @log, :accepted, receive_data: lambda { |*|
        sleep 0.05
        @log << %i[accepted slept]
      }, unbind: ->(*) { EM.stop })
      EM.connect(HOST, port) do |client|
        client.send_data("x")
        client.close_connection_after_writing
      end
    end

    assert_equal %i[initialize post_init receive_data slept unbind], of(@log, :accepted)
  end

  def test_a_connection_closed_by_its_waiting_callback_is_unbound_afterwards
    em do
      _, port = serve(Told, @log, :accepted, receive_data: lambda { |connection, _|
        connection.close_connection
        sleep 0.03
        @log << %i[accepted slept]
      }, unbind: ->(*) { EM.stop })
      EM.connect(HOST, port) { |client| client.send_data("x") }
    end

    assert_equal %i[initialize post_init receive_data slept unbind], of(@log, :accepted)
  end

  def test_what_is_sent_before_waiting_leaves_at_once
    em do
      _, port = serve(Told, [], :accepted, receive_data: lambda { |server, _|
        server.send_data("at once")
        sleep 0.05
        @log << :slept
      })
      EM.connect(HOST, port, Told, [], :client, connection_completed: ->(client) { client.send_data("x") },
                                                receive_data: lambda { |_, data|
                                                  @log << data
                                                  EM.add_timer(0.1) { EM.stop }
                                                })
    end

    assert_equal ["at once", :slept], @log
  end

  def test_post_init_of_what_connects_may_wait
    em do
      _, port = serve(Told, [], :accepted, post_init: ->(me) { me.send_data("early") })
      EM.connect(HOST, port, Told, @log, :client,
                 post_init: lambda { |_|
                   sleep 0.05
                   @log << :waited
                 },
                 receive_data: ->(_, _) { EM.stop }) { @log << :given }
    end

    assert_equal([%i[client initialize], %i[client post_init], :waited, :given, %i[client connection_completed]],
                 @log.first(5).map { |entry| entry.is_a?(Array) ? entry.first(2) : entry })
  end

  def test_initialize_and_post_init_of_what_is_accepted_may_wait
    em do
      _, port = serve(Told, @log, :accepted, post_init: ->(_) { sleep 0.02 }, receive_data: ->(*) { EM.stop })
      EM.connect(HOST, port) { |client| client.send_data("x") }
    end

    assert_equal %i[initialize post_init receive_data unbind], of(@log, :accepted)
  end

  def test_unbind_may_wait
    em do
      EM.attach(IO.pipe.first, Told, @log, :it, unbind: lambda { |*|
        sleep 0.02
        EM.stop if @log << %i[it slept]
      }).close_connection
    end

    assert_equal %i[initialize post_init unbind slept], of(@log, :it)
  end

  def test_what_is_raised_after_waiting_is_handled_as_ever
    em do
      EM.error_handler { |error| EM.stop if @log << error.message }
      EM.add_timer(0) { sleep(0.01) and raise Boom, "late" }
    end

    assert_equal ["late"], @log
    assert_raises(Boom) { em { EM.add_timer(0) { sleep(0.01) and raise Boom } } }
  end

  def test_callbacks_that_wait_at_the_end_are_cancelled_and_clean_up
    em do
      EM.add_timer(0) do
        sleep
      ensure
        @log << :cleaned_up
      end
      EM.add_timer(0.02) { EM.stop }
    end

    assert_equal [:cleaned_up], @log
  end

  def test_with_suspend_false_everything_waits
    EM.run(suspend: false) do
      EM.add_timer(0) do
        sleep 0.05
        @log << :slept
      end
      EM.add_timer(0.01) { EM.stop if @log << :timer }
    end

    assert_equal %i[slept timer], @log
  end

  def test_a_name_is_looked_up_while_others_go_on
    em do
      _, port = serve
      EM.next_tick do
        # "localhost" itself is known without asking anybody.
        EM.connect("LOCALHOST", port)
        EM.stop if @log << :made
      end
      EM.next_tick { @log << :tick }
    end

    assert_equal %i[tick made], @log
  end

  # Thread.current[] is the fiber's; what all are to see is a variable of the thread.
  def test_callbacks_have_fiber_locals_of_their_own_and_share_those_of_the_thread
    Thread.current[:evented_test] = :of_the_caller
    Thread.current.thread_variable_set(:evented_test, :of_all)
    em do
      @log << Thread.current[:evented_test] << Thread.current.thread_variable_get(:evented_test)
      Thread.current[:evented_test] = :of_a_callback
      EM.stop
    end

    assert_equal [nil, :of_all], @log
    assert_equal :of_the_caller, Thread.current[:evented_test]
  ensure
    Thread.current[:evented_test] = nil
    Thread.current.thread_variable_set(:evented_test, nil)
  end

  def test_callbacks_inherit_the_storage_of_fibers
    Fiber[:evented_test] = :inherited
    em { EM.next_tick { EM.stop if @log << Fiber[:evented_test] } }

    assert_equal [:inherited], @log
  ensure
    Fiber[:evented_test] = nil
  end

  def test_a_hundred_callbacks_can_wait_at_once
    took = seconds do
      em do
        100.times { |number| EM.add_timer(0) { sleep(0.05) and EM.stop if (@log << number).size == 100 } }
      end
    end

    assert_equal 100.times.to_a, @log.sort
    assert_operator took, :<, 2
  end

  def test_tasks_of_evented_run_beside_callbacks
    em do
      EM.add_timer(0) do
        tasks = Array.new(3) { |number| Evented { sleep(0.01) and number } }
        EM.stop if @log << tasks.map(&:value)
      end
    end

    assert_equal [[0, 1, 2]], @log
  end

  def test_fiber_runs_a_block_that_may_wait_and_its_error_is_handled
    em do
      EM.error_handler { |error| EM.stop if @log << error.message }
      EM.fiber { sleep(0.01) and @log << :waited and raise Boom, "of the fiber" }
      @log << :goes_on
    end

    assert_equal [:goes_on, :waited, "of the fiber"], @log
  end
end
