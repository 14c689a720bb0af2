# frozen_string_literal: true

require "support/event_machine"
require "tmpdir"

# Functions of signatures, which EventMachine's own classes stand on, and other libraries as well.
class EMLowLevelTest < Minitest::Test
  def setup
    @log = []
  end

  def test_a_timer_in_milliseconds
    em do
      signature = EM.add_oneshot_timer(10)
      EM.instance_eval { @timers[signature] = -> { EM.stop } }
      @log << signature.class
    end

    assert_equal [Integer], @log
  end

  def test_a_server_of_host_and_port
    em do
      signature = EM.start_tcp_server(HOST, 0)
      handler = [Told, [@log, :accepted, { post_init: ->(_) { EM.stop } }], nil]
      EM.instance_eval { @acceptors[signature] = handler }
      TCPSocket.new(HOST, port_of(signature))
    end

    assert_equal %i[initialize post_init unbind], of(@log, :accepted)
  end

  def test_a_server_that_is_stopped
    not_of_eventmachine "crashes in the end"
    em do
      signature = EM.start_tcp_server(HOST, 0)
      port = port_of(signature)
      EM.stop_tcp_server(signature)
      EM.add_timer(0.02) do
        @log << raised_by { TCPSocket.new(HOST, port) }.class
        EM.stop
      end
    end

    assert_equal [Errno::ECONNREFUSED], @log
  end

  def test_a_client_of_host_and_port
    em do
      _, port = serve(Told, [], :accepted, receive_data: ->(_, data) { EM.stop if @log << data })
      signature = EM.connect_server(HOST, port)
      made = Told.new(signature, [], :client)
      EM.instance_eval { @conns[signature] = made }
      EM.send_data(signature, "hello", 5)
    end

    assert_equal ["hello"], @log
  end

  def test_a_client_of_a_path
    Dir.mktmpdir do |directory|
      path = File.join(directory, "socket")
      em do
        EM.start_unix_domain_server(path, Told, [], :accepted, receive_data: ->(_, data) { EM.stop if @log << data })
        signature = EM.connect_unix_server(path)
        made = EM::Connection.new(signature)
        EM.instance_eval { @conns[signature] = made }
        EM.send_data(signature, "hello", 5)
      end
    end

    assert_equal ["hello"], @log
  end

  def test_a_datagram_socket
    em do
      receiver = EM.open_datagram_socket(HOST, 0, Told, [], :receiver, receive_data: lambda { |_, data|
        EM.stop if @log << data
      })
      signature = EM.open_udp_socket(HOST, 0)
      made = EM::Connection.new(signature)
      EM.instance_eval { @conns[signature] = made }
      @log << EM.send_datagram(signature, "hello", 5, HOST, port_of(receiver.signature))
    end

    assert_equal [5, "hello"], @log
  end

  def test_a_descriptor
    reader, writer = IO.pipe
    copy = reader.dup
    copy.autoclose = false
    em do
      signature = EM.attach_fd(copy.fileno, false)
      @log << EM.watch_only?(signature) << EM.get_file_descriptor(signature)
      made = Told.new(signature, @log, :it, receive_data: ->(*) { EM.stop })
      EM.instance_eval { @conns[signature] = made }
      writer.write("hello")
    end

    assert_equal [false, copy.fileno], @log.first(2)
    assert_includes @log, [:it, :receive_data, "hello"]
  ensure
    [reader, writer].each(&:close)
  end

  def test_timeouts_by_signature
    em do
      signature = EM.attach(UNIXSocket.pair.first).signature
      @log << EM.get_comm_inactivity_timeout(signature) << EM.set_comm_inactivity_timeout(signature, 0.25)
      @log << EM.get_comm_inactivity_timeout(signature) << EM.get_pending_connect_timeout(signature)
      EM.stop
    end

    assert_equal [0.0, true, 0.25, 20.0], @log
  end

  def test_pausing_by_signature
    em do
      signature = EM.attach(UNIXSocket.pair.first).signature
      @log << EM.pause_connection(signature) << EM.connection_paused?(signature) << EM.resume_connection(signature)
      EM.stop
    end

    assert_equal [true, true, true], @log
  end

  def test_watching_by_signature
    reader, writer = IO.pipe
    em do
      signature = EM.watch(reader).signature
      EM.set_notify_readable(signature, true)
      @log << EM.is_notify_readable(signature) << EM.is_notify_writable(signature)
      EM.set_notify_readable(signature, false)
      EM.set_notify_writable(signature, false)
      @log << EM.is_notify_readable(signature) << EM.detach_fd(signature)
      EM.stop
    end

    assert_equal [true, false, false, reader.fileno], @log
  ensure
    [reader, writer].each(&:close)
  end

  def test_unknown_signatures_are_told_so_or_do_nothing
    unknown = 1 << 40
    em do
      @log << EM.report_connection_error_status(unknown) << EM.get_comm_inactivity_timeout(unknown)
      @log << EM.get_idle_time(unknown) << EM.pause_connection(unknown) << EM.get_proxied_bytes(unknown)
      @log << EM.get_peername(unknown)
      EM.set_notify_readable(unknown, true)
      [-> { EM.detach_fd(unknown) }, -> { EM.get_sock_opt(unknown, 1, 1) }, -> { EM.set_sock_opt(unknown, 1, 1, 1) }]
        .each { |call| @log << assert_raises(RuntimeError, &call).message }
      @log << assert_raises(EM::ConnectionError) { EM.send_datagram(unknown, "x", 1, HOST, 9) }.message
      EM.stop
    end

    assert_equal [-1, 0.0, nil, false, 0, nil, "invalid binding to detach", "invalid binding to get_fd",
                  "invalid binding to get_fd", "error in sending datagram"], @log
  end

  def test_long_names_of_settings_are_the_same
    assert_equal [EM.get_max_timers, Process.getrlimit(:NOFILE).first],
                 [EM.get_max_timer_count, EM.set_rlimit_nofile(-1)]
    em do
      assert_equal EM.connection_count, EM.get_connection_count
      EM.set_timer_quantum(50)
      EM.set_quantum(90)
      EM.signal_loopbreak
      EM.stop
    end
  end

  def test_a_handler_becomes_a_class
    handler = Module.new { def post_init = :of_the_module }

    assert_equal [EM::Connection, Told],
                 [EM.klass_from_handler(EM::Connection), EM.klass_from_handler(EM::Connection, Told, @log)]
    made = EM.klass_from_handler(EM::Connection, handler)

    assert_operator made, :<, EM::Connection
    assert_includes made.included_modules, handler
    assert_same made, EM.klass_from_handler(EM::Connection, handler)
  end
end
