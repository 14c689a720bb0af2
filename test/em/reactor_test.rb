# frozen_string_literal: true

require "support/event_machine"

# Running and stopping: what comes when (docs/em-compatibility.md, "Running").
class EMReactorTest < Minitest::Test
  def setup
    @log = []
  end

  def test_run_calls_the_block_and_returns_nothing
    assert_nil(EM.run { EM.next_tick { EM.stop } })
    assert_nil EM.run(-> { EM.stop })
  end

  def test_run_block_stops_when_the_block_is_over
    EM.run_block { @log << EM.reactor_running? }

    assert_equal [true], @log
    refute_predicate EM, :reactor_running?
  end

  def test_it_can_run_again_and_again
    3.times { |time| EM.run { EM.next_tick { EM.stop if @log << time } } }

    assert_equal [0, 1, 2], @log
  end

  # The block is a timer of no time.
  def test_the_block_of_run_comes_before_the_ticks_that_were_there_already
    EM.next_tick { @log << :tick }
    em { EM.stop if @log << :block }

    assert_equal %i[block tick], @log
  end

  def test_it_does_so_every_time
    200.times do
      EM.next_tick { EM.stop if @log << :tick }
      EM.run { @log << :block }
    end

    assert_equal %i[block tick] * 200, @log
  end

  def test_what_is_due_comes_before_ticks
    em do
      EM.next_tick do
        @log << :tick
        EM.add_timer(0) { @log << :timer }
        EM.next_tick { EM.stop if @log << :next_tick }
      end
    end

    assert_equal %i[tick timer next_tick], @log
  end

  def test_a_stopped_reactor_completes_its_pass
    em do
      EM.stop
      EM.next_tick { @log << :tick }
    end

    assert_equal [:tick], @log
  end

  def test_after_stop_no_timer_is_due
    em do
      EM.stop
      EM.add_timer(0) { @log << :timer }
      EM.next_tick { @log << :tick }
    end

    assert_equal [:tick], @log
  end

  def test_a_tick_of_the_last_pass_does_not_bring_another
    em do
      EM.stop
      EM.next_tick { EM.next_tick { @log << :never } }
    end
    em { EM.next_tick { EM.next_tick { EM.stop } } }

    assert_empty @log
  end

  def test_what_a_tick_adds_waits_for_the_next_pass
    em do
      EM.next_tick do
        @log << 1
        EM.next_tick { EM.stop if @log << 3 }
      end
      EM.next_tick { @log << 2 }
    end

    assert_equal [1, 2, 3], @log
  end

  def test_a_tick_of_another_thread_wakes_the_reactor_up
    taken = nil
    EM.run do
      Thread.new do
        Thread.pass until Thread.main.status == "sleep"
        start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
        EM.next_tick do
          taken = Process.clock_gettime(Process::CLOCK_MONOTONIC) - start
          EM.stop
        end
      end
    end

    assert_operator taken, :<, 5
  end

  def test_next_tick_takes_a_proc_or_a_block_and_nothing_else
    assert_equal "no proc or block given", assert_raises(ArgumentError) { EM.next_tick }.message
    em do
      EM.next_tick(-> { @log << :proc })
      EM.next_tick(@log.method(:inspect))
      EM.next_tick { EM.stop if @log << :block }
    end

    assert_equal %i[proc block], @log
  end

  def test_schedule_calls_at_once_on_the_thread_of_the_reactor
    em do
      EM.schedule { @log << :scheduled }
      EM.schedule(-> { @log << :callable })
      EM.stop if @log << :after
    end

    assert_equal %i[scheduled callable after], @log
  end

  def test_schedule_on_another_thread_calls_on_that_of_the_reactor
    em { Thread.new { EM.schedule { EM.stop if @log << Thread.current } } }

    assert_equal [Thread.current], @log
  end

  def test_who_runs_it
    assert_equal [false, false], [EM.reactor_running?, EM.reactor_thread?]
    em do
      @log << EM.reactor_running? << EM.reactor_thread? << (EM.reactor_thread == Thread.current)
      Thread.new { @log << EM.reactor_running? << EM.reactor_thread? << (EM.reactor_thread == Thread.current) }.join
      EM.stop
    end

    assert_equal [true, true, true, true, false, false], @log
    refute_predicate EM, :reactor_running?
  end

  def test_stop_and_stopping
    em do
      @log << EM.stopping?
      EM.stop
      @log << EM.stopping?
    end

    assert_equal [false, true], @log
  end

  def test_stop_event_loop_is_stop
    em { EM.stop_event_loop if @log << :ran }

    assert_equal [:ran], @log
  end

  def test_stop_from_another_thread
    EM.run { Thread.new { EM.stop } }

    refute_predicate EM, :reactor_running?
  end

  {
    stop: "evma_stop_machine", stopping?: "evma_stopping", current_time: "evma_get_current_loop_time",
    signal_loopbreak: "evma_signal_loopbreak", connection_count: "evma_get_connection_count",
    get_timer_count: "evma_get_timer_count", num_close_scheduled: "evma_num_close_scheduled",
    open_keyboard: "evma_open_keyboard"
  }.each do |name, function|
    define_method("test_without_a_reactor_#{name}_says_so") do
      error = assert_raises(RuntimeError) { EM.public_send(name) }

      assert_equal "eventmachine not initialized: #{function}", error.message
    end
  end

  {
    "add_timer(1) {}" => "evma_install_oneshot_timer", "connect('127.0.0.1', 9)" => "evma_connect_to_server",
    "start_server('127.0.0.1', 0)" => "evma_create_tcp_server", "attach(0)" => "evma_attach_fd",
    "start_server('/nowhere/at/all')" => "evma_create_unix_domain_server", "watch(0)" => "evma_attach_fd",
    "open_datagram_socket('127.0.0.1', 0)" => "evma_open_datagram_socket", "popen('true')" => "evma_popen",
    "watch_file('/')" => "evma_watch_filename", "set_quantum(50)" => "evma_set_timer_quantum",
    "connect_unix_domain('/nowhere')" => "evma_connect_to_unix_server"
  }.each do |call, function|
    define_method("test_without_a_reactor_#{call[/\w+/]}_of_#{function}_says_so") do
      error = assert_raises(RuntimeError) { EM.instance_eval(call) }

      assert_equal "eventmachine not initialized: #{function}", error.message
    end
  end

  def test_the_end_is_hooks_last_first_then_unbind_while_it_still_runs
    EM.run(lambda {
      EM.add_shutdown_hook { @log << :first_hook }
      EM.add_shutdown_hook { @log << :last_hook }
      serve
      EM.attach(IO.pipe.first, told_to_tell_whether_it_runs)
      EM.stop
    }, -> { @log << :tail })

    assert_equal [:last_hook, :first_hook, :tail, [:unbind, true]], @log
    refute_predicate EM, :reactor_running?
  end

  def test_an_exception_leaves_run_after_hooks_and_unbind
    error = assert_raises(IOError) do
      EM.run do
        EM.add_shutdown_hook { @log << :hook }
        EM.attach(IO.pipe.first, told_to_tell_whether_it_runs)
        EM.next_tick { raise IOError, "on purpose" }
      end
    end

    assert_equal "on purpose", error.message
    assert_equal [:hook, [:unbind, true]], @log
    refute_predicate EM, :reactor_running?
  end

  def test_run_inside_run_calls_the_block_at_once_and_its_tail_last
    EM.run(lambda {
      EM.add_shutdown_hook { @log << :hook }
      EM.run(-> { @log << :inner }, -> { @log << :inner_tail })
      EM.run { @log << :inner_block }
      EM.stop if @log << :outer
    }, -> { @log << :tail })

    assert_equal %i[inner inner_block outer hook tail inner_tail], @log
  end

  def test_a_hook_may_wait_for_a_thread_while_more_comes_for_connections_that_are_not_called_any_more
    said = output_of_em(<<~RUBY)
      def hook(peer, port)
        peer.write("more")
        peers = Array.new(3) { TCPSocket.new("127.0.0.1", port) }
        puts Thread.new { sleep(0.01) && "the thread has run" }.value
        peers.each(&:close)
      end

      EM.run do
        port = Socket.unpack_sockaddr_in(EM.get_sockname(EM.start_server("127.0.0.1", 0, Module.new))).first
        near, peer = UNIXSocket.pair
        EM.attach(near, Module.new { def receive_data(_) = EM.stop })
        EM.add_shutdown_hook { hook(peer, port) }
        peer.write("some")
      end
    RUBY

    assert_equal "the thread has run\n", said
  end

  # As by a thread of EM.defer that is through with its work just then.
  def test_ticks_that_are_wanted_after_the_end_keep_nobody_busy
    not_of_eventmachine("goes on with nothing after its end")
    said = output_of_em(<<~RUBY)
      Evented do
        EM.run { EM.stop }
        EM.__want_ticks(Fiber.scheduler)
        EM.__stop(Fiber.scheduler)
        sleep(0.001)
        EM.run { EM.next_tick { puts("the next one runs") || EM.stop } }
      end
    RUBY

    assert_equal "the next one runs\n", said
  end

  def test_a_hook_that_is_added_before_run_is_called_once
    EM.add_shutdown_hook { @log << :hook }
    2.times { em { EM.stop } }

    assert_equal [:hook], @log
  end

  def test_signatures_of_everything_come_from_one_counter
    em do
      signatures = [EM.add_timer(60) { nil }, serve.first, EM.attach(IO.pipe.first).signature, EM.add_timer(60) { nil }]
      @log.concat(signatures)
      EM.stop
    end

    assert_equal @log.sort.uniq, @log
    assert_kind_of Integer, @log.first
  end

  # Thin reads them.
  def test_connections_acceptors_and_timers_can_be_read_by_signature
    em do
      server, = serve(Told, @log)
      connection = EM.attach(IO.pipe.first)
      timer = EM.add_timer(60) { nil }
      assert_equal([server], EM.instance_eval { @acceptors.keys })
      assert_equal(Told, EM.instance_eval { @acceptors[server].first })
      assert_same(connection, EM.instance_eval { @conns[connection.signature] })
      assert_includes EM.instance_eval { @timers }, timer
      EM.stop
    end

    assert_empty(EM.instance_eval { @conns.to_a + @acceptors.to_a })
  end

  def test_current_time_is_a_time_of_which_differences_mean_something
    em do
      first = EM.current_time
      EM.add_timer(0.05) do
        @log << first.class << (EM.current_time - first)
        EM.stop
      end
    end

    assert_equal Time, @log.first
    assert_in_delta 0.05, @log.last, 0.045
  end

  def test_the_heartbeat_interval_is_kept_and_must_be_positive
    em do
      @log << EM.heartbeat_interval << EM.set_heartbeat_interval(3.0) << EM.get_heartbeat_interval
      EM.heartbeat_interval = 2
      @log << EM.heartbeat_interval << EM.set_heartbeat_interval(0.0) << EM.set_heartbeat_interval(-1.0)
      EM.stop
    end

    assert_equal [2.0, true, 3.0, 2.0, false, false], @log
  end

  def test_what_it_is
    assert_equal [:extension, true, false], [EM.library_type, EM.ssl?, EM.kqueue?]
    assert_equal [true, false, true], [EM.epoll, EM.epoll = false, EM.epoll?]
    assert_equal "kqueue is not supported on this platform",
                 assert_raises(EM::Unsupported) { EM.kqueue = true }.message
    refute EM.kqueue
  end

  def test_the_count_of_simultaneous_accepts_is_one_at_least
    assert_equal 10, EM.get_simultaneous_accept_count
    EM.set_simultaneous_accept_count(0)

    assert_equal 1, EM.get_simultaneous_accept_count
  ensure
    EM.set_simultaneous_accept_count(10)
  end

  def test_the_size_of_the_descriptor_table_is_told_and_what_is_too_much_is_not_an_error
    soft, = Process.getrlimit(:NOFILE)

    assert_equal [soft, soft], [EM.set_descriptor_table_size, EM.set_descriptor_table_size(soft)]
  end

  def test_connections_are_counted
    em do
      _, port = serve
      EM.connect(HOST, port)
      stop_once { EM.connection_count == 3 }
    end
  end

  def test_connections_about_to_close_are_counted
    em do
      EM.attach(IO.pipe.first).close_connection
      EM.next_tick { @log << EM.num_close_scheduled }
      EM.add_timer(0.05) { EM.stop if @log << EM.num_close_scheduled }
    end

    assert_equal 0, @log.last
  end

  # Without timers EventMachine wakes up every 90 ms.
  def test_an_idle_reactor_sleeps
    not_of_eventmachine "wakes up every 90 ms"
    # From Ruby 3.4 on another thread would read it, its own.
    status = -> { Fiber.blocking { File.read("/proc/thread-self/status") } }
    wakeups = -> { status.call[/^voluntary_ctxt_switches:\s+(\d+)/, 1].to_i }
    before = nil
    EM.run do
      EM.add_timer(0.1) { before = wakeups.call }
      EM.add_timer(0.6) { EM.stop if @log << wakeups.call }
    end

    assert_operator @log.first - before, :<=, 3
  end

  def test_a_signal_handler_can_stop_it_and_add_timers
    assert_equal "timer\n", output_of_em(<<~RUBY)
      trap(:USR1) { EM.add_timer(0) { puts "timer"; EM.stop } }
      EM.run { EM.add_timer(0.02) { Process.kill(:USR1, $$) } }
      trap(:USR1) { EM.stop }
      EM.run { EM.add_timer(0.02) { Process.kill(:USR1, $$) } }
    RUBY
  end

  def test_a_signal_handler_can_add_ticks_and_schedule
    not_of_eventmachine "raises ThreadError: its queue has a mutex"
    assert_equal "tick\nscheduled\n", output_of_em(<<~RUBY)
      trap(:USR1) { EM.next_tick { puts "tick" }; EM.next_tick { EM.schedule { puts "scheduled"; EM.stop } } }
      EM.run { EM.add_timer(0.02) { Process.kill(:USR1, $$) } }
    RUBY
  end

  def test_two_threads_have_a_reactor_each
    not_of_eventmachine "has one reactor a process"
    ports = Thread::Queue.new
    server = Thread.new do
      EM.run do
        _, port = serve(Told, [], :accepted, receive_data: ->(connection, data) { connection.send_data(data.upcase) })
        ports << port
        stop_once { ports.num_waiting.zero? && ports.closed? }
      end
    end
    em do
      EM.connect(HOST, ports.pop, Told, @log, :client, connection_completed: ->(client) { client.send_data("hello") },
                                                       receive_data: ->(*) { EM.stop })
    end
    ports.close
    server.join

    assert_includes @log, [:client, :receive_data, "HELLO"]
  end

  def test_it_runs_inside_a_reactor_of_evented
    not_of_eventmachine "knows nothing of evented"
    Evented.run do
      task = Evented { sleep 0.01 and @log << :task }
      EM.run { EM.add_timer(0.03) { EM.stop if @log << :timer } }
      task.wait
    end

    assert_equal %i[task timer], @log
  end

  private

  def told_to_tell_whether_it_runs
    log = @log
    Module.new { define_method(:unbind) { log << [:unbind, EM.reactor_running?] } }
  end
end
