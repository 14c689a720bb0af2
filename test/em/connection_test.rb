# frozen_string_literal: true

require "support/event_machine"
require "tempfile"

# What a connection can do, and what is called when.
class EMConnectionTest < Minitest::Test
  # The longest string that receive_data is given.
  CHUNK = 16_384

  def setup
    @log = []
  end

  # --- receive_data

  def test_received_data_is_a_new_binary_string_of_at_most_16_kib
    received = []
    pair(receive_data: lambda { |server, data|
      server.close_connection if (received << data).sum(&:bytesize) == 500_000
    }) do |client|
      client.send_data("x" * 500_000)
    end

    assert_operator received.map(&:bytesize).max, :<=, CHUNK
    assert_equal [[Encoding::BINARY, false]], received.map { |data| [data.encoding, data.frozen?] }.uniq
    assert_equal 500_000, received.uniq(&:object_id).sum(&:bytesize)
  end

  def test_bytes_arrive_in_order_and_unchanged
    sent = Random.new(1).bytes(1_000_000)
    received = "".b
    pair(receive_data: lambda { |server, data|
      received << data
      server.close_connection if received.bytesize == sent.bytesize
    }) { |client| sent.bytes.each_slice(33_333) { |slice| client.send_data(slice.pack("C*")) } }

    assert_equal sent, received
  end

  def test_a_paused_connection_is_not_read_until_it_is_resumed
    received = []
    pair(receive_data: lambda { |server, data|
      received << data.bytesize
      next server.close_connection if received.sum == 300_000
      next unless received.size == 1

      @log << server.paused? << server.pause << server.pause << server.paused?
      EM.add_timer(0.05) do
        @log << received.size << server.resume << server.resume << server.paused?
      end
    }) { |client| client.send_data("x" * 300_000) }

    assert_equal [false, true, false, true, 1, true, false, false], @log
    assert_equal 300_000, received.sum
  end

  def test_a_paused_connection_is_not_written_either
    pair(receive_data: ->(server, _) { server.close_connection if @log << :received }) do |client|
      client.pause
      client.send_data("hi")
      EM.add_timer(0.05) do
        @log << client.get_outbound_data_size
        client.resume
      end
    end

    assert_equal [2, :received], @log
  end

  # Ten times the longest string are read at once.
  def test_after_a_close_what_was_read_at_once_is_still_received
    received = []
    em do
      _, port = serve(Told, @log, :accepted, receive_data: lambda { |server, data|
        received << data.bytesize
        server.close_connection
      }, unbind: ->(*) { EM.stop })
      @client = TCPSocket.new(HOST, port)
      @client.write("x" * 100_000)
    end

    assert_operator received.size, :<=, 10
    assert_equal :unbind, of(@log, :accepted).last
  ensure
    @client&.close
  end

  # --- send_data

  def test_send_data_returns_how_many_bytes_are_queued
    pair do |client|
      @log << client.send_data("héllo") << client.send_data("") << client.send_data(12_345) << client.send_data(:sym)
      @log << client.get_outbound_data_size
      client.close_connection_after_writing
    end

    assert_equal [6, 0, 5, 3, 14], @log
  end

  def test_what_is_sent_after_the_end_is_refused
    ended = nil
    pair(unbind: ->(*) { EM.next_tick { EM.next_tick { ended&.call } } }) do |client|
      client.close_connection_after_writing
      @log << client.send_data("too late")
      ended = lambda do
        @log << client.send_data("much too late")
        EM.stop
      end
    end

    assert_equal [0, -1], @log
  end

  def test_small_pieces_are_sent_together
    received = []
    pair(receive_data: lambda { |server, data|
      server.close_connection if (received << data).join.bytesize == 100
    }) do |client|
      10.times { client.send_data("0123456789") }
    end

    assert_equal ["0123456789" * 10], received
  end

  def test_nothing_is_sent_before_the_callback_is_over
    pair(receive_data: ->(server, data) { server.close_connection if @log << data }) do |client|
      client.send_data("hello")
      sleep_without_reactor(0.02)
      @log << client.get_outbound_data_size
    end

    assert_equal [5, "hello"], @log
  end

  # An answer and then the end, as programs do when they are told to go.
  def test_what_was_sent_before_a_tick_that_stops_is_sent
    answer = nil
    EM.run do
      _, port = serve(Told, [], :accepted, receive_data: lambda { |server, _|
        server.send_data("bye")
        EM.next_tick { EM.stop }
      })
      @reading = Thread.new do
        TCPSocket.open(HOST, port) { |client| client.write("go") && answer = client.read }
      end
    end
    @reading.join

    assert_equal "bye", answer
  end

  def test_other_threads_may_send_through_a_tick
    pair(receive_data: ->(server, data) { server.close_connection if @log << data }) do |client|
      Thread.new { EM.next_tick { client.send_data("from a thread") } }
    end

    assert_equal ["from a thread"], @log
  end

  # --- closing

  def test_close_connection_after_writing_sends_everything_before
    received = 0
    pair(receive_data: ->(_, data) { received += data.bytesize }) do |client|
      client.send_data("x" * 2_000_000)
      client.close_connection_after_writing
    end

    assert_equal 2_000_000, received
  end

  def test_close_connection_loses_what_was_not_sent
    received = 0
    pair(receive_data: ->(_, data) { received += data.bytesize }) do |client|
      client.send_data("x" * 20_000_000)
      client.close_connection
    end

    assert_operator received, :<, 20_000_000
  end

  def test_a_close_supersedes_one_after_writing
    pair(post_init: lambda(&:pause), unbind: ->(*) {}) do |client|
      client.send_data("x" * 20_000_000)
      client.close_connection_after_writing
      EM.add_timer(0.02) do
        client.close_connection
        EM.add_timer(0.05) { EM.stop if @log << client.get_outbound_data_size << client.get_sockname }
      end
    end

    assert_equal [nil], @log.last(1)
  end

  def test_both_ways_to_close_are_told_to_close_connection_and_return_nothing
    log = @log
    client_class = Class.new(EM::Connection) do
      define_method(:close_connection) { |after = false| log << after << super(after) }
    end
    em do
      _, port = serve(Told, [], :accepted, unbind: ->(*) { EM.stop })
      EM.connect(HOST, port, client_class) do |client|
        client.send_data("x")
        client.close_connection_after_writing
        client.close_connection
      end
    end

    assert_equal [true, nil, false, nil], @log
  end

  def test_unbind_follows_at_the_end_of_the_pass
    pair do |client|
      note = ->(event) { @log << event }
      client.define_singleton_method(:unbind) { note.call(:unbind) }
      client.close_connection
      @log << :after_close
    end

    assert_equal %i[after_close unbind], @log
  end

  # --- unbind

  def test_unbind_takes_the_reason_if_it_takes_anything
    reasons = []
    handlers = [
      Module.new { define_method(:unbind) { reasons << :none } },
      Module.new { define_method(:unbind) { |reason| reasons << reason } },
      Module.new { define_method(:unbind) { |reason = :default| reasons << reason } },
      Module.new { define_method(:unbind) { |*all| reasons << all } }
    ]
    em do
      port = TCPServer.open(HOST, 0) { |server| server.addr[1] }
      handlers.each { |handler| EM.connect(HOST, port, handler) }
      stop_once { reasons.size == 4 }
    end

    assert_equal [:none, Errno::ECONNREFUSED, [Errno::ECONNREFUSED]].to_set, reasons.to_set
  end

  def test_unbind_of_one_object_takes_the_reason_as_well
    log = @log
    em do
      port = TCPServer.open(HOST, 0) { |server| server.addr[1] }
      EM.connect(HOST, port) do |client|
        client.define_singleton_method(:unbind) { |reason| EM.stop if log << reason }
      end
    end

    assert_equal [Errno::ECONNREFUSED], @log
  end

  def test_a_class_may_have_a_method_of_its_own_called_method
    log = @log
    handler = Class.new(EM::Connection) do
      def method = "GET"
      define_method(:unbind) { |reason| EM.stop if log << reason << original_method(:method).arity }
    end
    em do
      _, port = serve
      EM.connect(HOST, port, handler) { |client| client.close_connection if @log << client.method }
    end

    assert_equal ["GET", nil, 0], @log
  end

  def test_the_end_of_the_peer_is_no_error
    pair(unbind: ->(_, reason) { @log << [:reason, reason] }, &:close_connection)

    assert_equal [[:reason, nil]], @log
  end

  def test_a_reset_by_the_peer_is_told
    em do
      _, port = serve(Told, @log, :accepted, unbind: ->(*) { EM.stop })
      client = TCPSocket.new(HOST, port)
      client.setsockopt(:SOCKET, :LINGER, [1, 0].pack("ii"))
      EM.add_timer(0.05) { client.close }
    end

    assert_equal [:accepted, :unbind, Errno::ECONNRESET], @log.last
  end

  def test_a_peer_that_has_finished_sending_ends_the_connection
    em do
      _, port = serve(Told, @log, :accepted, unbind: ->(*) { EM.stop })
      client = TCPSocket.new(HOST, port)
      client.write("bye")
      client.close_write
    end

    assert_equal [[:accepted, :receive_data, "bye"], [:accepted, :unbind, nil]], @log.last(2)
  end

  def test_what_was_there_before_the_end_is_received
    em do
      _, port = serve(Told, @log, :accepted, unbind: ->(*) { EM.stop })
      TCPSocket.open(HOST, port) { |client| client.write("x" * 100_000) }
    end

    assert_equal 100_000, @log.filter_map { |_, event, data| data.bytesize if event == :receive_data }.sum
    assert_equal [:accepted, :unbind, nil], @log.last
  end

  # --- after the end

  def test_what_an_ended_connection_says
    em do
      connection = EM.attach(IO.pipe.first)
      connection.close_connection
      EM.add_timer(0.02) do
        @log << connection.get_peername << connection.get_sockname << connection.get_idle_time
        @log << connection.error? << connection.send_data("x") << connection.close_connection
        EM.stop
      end
    end

    assert_equal [nil, nil, nil, true, -1, nil], @log
  end

  def test_an_ended_connection_has_no_descriptor_any_more
    em do
      connection = EM.attach(IO.pipe.first)
      connection.close_connection
      EM.add_timer(0.02) do
        @log << assert_raises(RuntimeError) { connection.get_sock_opt(Socket::SOL_SOCKET, Socket::SO_ERROR) }.message
        @log << assert_raises(RuntimeError) { connection.detach }.message
        EM.stop
      end
    end

    assert_equal ["invalid binding to get_fd", "invalid binding to detach"], @log
  end

  # --- the socket

  def test_both_ends_know_each_others_names
    names = lambda { |connection|
      [connection.get_sockname, connection.get_peername].map { |name| Socket.unpack_sockaddr_in(name) }
    }
    pair(receive_data: ->(server, _) { server.close_connection if @log << names.call(server) }) do |client|
      @log << names.call(client).reverse
      client.send_data("hi")
    end

    assert_equal @log[0], @log[1]
  end

  def test_options_of_the_socket_can_be_set_and_asked_for
    pair do |client|
      @log << client.set_sock_opt(Socket::SOL_SOCKET, Socket::SO_KEEPALIVE, true)
      @log << client.get_sock_opt(Socket::SOL_SOCKET, Socket::SO_KEEPALIVE).unpack1("i")
      client.set_sock_opt(Socket::SOL_SOCKET, Socket::SO_KEEPALIVE, false)
      @log << client.get_sock_opt(Socket::SOL_SOCKET, Socket::SO_KEEPALIVE).unpack1("i")
      client.set_sock_opt(Socket::SOL_SOCKET, Socket::SO_KEEPALIVE, 1)
      client.set_sock_opt(Socket::SOL_SOCKET, Socket::SO_LINGER, [1, 5].pack("ii"))
      @log << client.get_sock_opt(Socket::SOL_SOCKET, Socket::SO_LINGER).unpack("ii")
      client.close_connection
    end

    assert_equal [0, 1, 0, [1, 5]], @log
  end

  def test_an_unknown_option_is_an_error_of_the_system
    pair do |client|
      @log << raised_by { client.get_sock_opt(Socket::SOL_SOCKET, 9999) }.class
      @log << raised_by { client.set_sock_opt(Socket::SOL_SOCKET, 9999, 1) }.class
      client.close_connection
    end

    assert_equal [Errno::ENOPROTOOPT] * 2, @log
  end

  def test_keepalive_can_be_turned_on_and_off
    tcp = Socket::IPPROTO_TCP
    pair do |client|
      client.enable_keepalive(77, 5, 3)
      @log << client.get_sock_opt(Socket::SOL_SOCKET, Socket::SO_KEEPALIVE).unpack1("i")
      @log.concat([Socket::TCP_KEEPIDLE, Socket::TCP_KEEPINTVL, Socket::TCP_KEEPCNT].map do |option|
        client.get_sock_opt(tcp, option).unpack1("i")
      end)
      client.disable_keepalive
      @log << client.get_sock_opt(Socket::SOL_SOCKET, Socket::SO_KEEPALIVE).unpack1("i")
      client.enable_keepalive
      @log << client.get_sock_opt(tcp, Socket::TCP_KEEPIDLE).unpack1("i")
      client.close_connection
    end

    assert_equal [1, 77, 5, 3, 0, 77], @log
  end

  def test_keepalive_of_what_is_no_socket_is_an_error
    em do
      connection = EM.attach(IO.pipe.first)
      @log << assert_raises(RuntimeError) { connection.enable_keepalive }.message
      EM.stop
    end

    assert_match(/\Aunable to enable keepalive: /, @log.first)
  end

  def test_a_good_connection_has_no_error
    pair { |client| client.close_connection if @log << client.error? }

    assert_equal [false], @log
  end

  # --- time

  def test_idle_time_is_that_since_something_was_received_or_sent
    pair do |client|
      EM.add_timer(0.05) do
        @log << client.get_idle_time
        client.close_connection
      end
    end

    assert_in_delta 0.05, @log.first, 0.045
  end

  def test_an_idle_connection_ends_after_its_inactivity_timeout
    pair do |client|
      @log << client.comm_inactivity_timeout << client.set_comm_inactivity_timeout(0.3)
      client.comm_inactivity_timeout = 0.05
      @log << client.comm_inactivity_timeout.round(3)
      note = ->(reason) { @log << reason }
      client.define_singleton_method(:unbind) { |reason| note.call(reason) }
    end

    assert_equal [0.0, true, 0.05, Errno::ETIMEDOUT], @log
  end

  def test_what_is_received_puts_off_the_inactivity_timeout
    assert_operator lifetime(receive_data: ->(server, _) { server.comm_inactivity_timeout = 0.15 }), :>, 0.24 + 0.14
  end

  def test_it_does_so_when_the_timeout_was_set_before_anything_was_received
    not_of_eventmachine "ends it after the first time nevertheless"

    assert_operator lifetime(post_init: ->(server) { server.comm_inactivity_timeout = 0.15 }), :>, 0.24 + 0.14
  end

  # --- detaching

  def test_detach_gives_the_descriptor_back_and_unbinds
    em do
      _, port = serve(Told, @log, :accepted, receive_data: ->(*) { EM.stop })
      EM.connect(HOST, port, Told, @log, :client, connection_completed: lambda { |client|
        @socket = Socket.for_fd(client.detach)
      }, unbind: ->(*) { EM.next_tick { @socket.write("by hand") } })
    end

    assert_includes @log, [:client, :unbind, nil]
    assert_includes @log, [:accepted, :receive_data, "by hand"]
  ensure
    @socket&.close
  end

  # --- files

  def test_small_files_are_sent_whole
    received = +""
    file_with("y" * 32_000) do |path|
      pair(receive_data: ->(_, data) { received << data }) do |client|
        client.send_file_data(path)
        client.close_connection_after_writing
      end
    end

    assert_equal "y" * 32_000, received
  end

  def test_large_or_missing_files_are_errors
    file_with("y" * 33_000) do |path|
      pair do |client|
        @log << assert_raises(RuntimeError) { client.send_file_data(path) }.message
        @log << raised_by { client.send_file_data("/nowhere/at/all") }
        client.close_connection
      end
    end

    assert_equal "File too large.  send_file_data() supports files under 32k.", @log.first
    assert_kind_of IOError, @log.last
    assert_match(/No such file or directory/, @log.last.message)
  end

  def test_files_of_any_size_are_streamed
    sent = Random.new(2).bytes(400_000)
    received = "".b
    file_with(sent) do |path|
      pair(receive_data: ->(_, data) { received << data }) do |client|
        client.stream_file_data(path).callback { client.close_connection_after_writing }
      end
    end

    assert_equal sent, received
  end

  def test_files_are_streamed_in_chunks_of_http
    received = "".b
    file_with("z" * 20_000) do |path|
      pair(receive_data: ->(_, data) { received << data }) do |client|
        client.stream_file_data(path, http_chunks: true).callback { client.close_connection_after_writing }
      end
    end

    assert_equal "4000\r\n#{"z" * 16_384}\r\ne20\r\n#{"z" * 3616}\r\n0\r\n\r\n", received
  end

  def test_the_callbacks_that_are_not_redefined_do_nothing
    em do
      connection = EM.attach(IO.pipe.first)
      @log << %i[post_init connection_completed ssl_handshake_completed unbind proxy_target_unbound proxy_completed]
              .map { |name| connection.public_send(name) }.uniq
      @log << connection.ssl_verify_peer("") << connection.associate_callback_target(1)
      @log << connection.respond_to?(:notify_readable) << connection.watch_only?
      EM.stop
    end

    assert_equal [[nil], nil, nil, false, false], @log
  end

  # --- by signature

  def test_functions_take_signatures
    em do
      _, port = serve(Told, @log, :accepted, receive_data: ->(*) { EM.stop })
      signature = EM.connect(HOST, port).signature
      @log << EM.send_data(signature, "hello!", 5)
      @log << (Socket.unpack_sockaddr_in(EM.get_peername(signature)) == [port, HOST])
      @log << EM.report_connection_error_status(signature)
      EM.close_connection(signature, true)
    end

    assert_equal [5, true, 0], @log.first(3)
    assert_includes @log, [:accepted, :receive_data, "hello"]
  end

  def test_an_unknown_signature_is_no_error
    em do
      unknown = 1 << 40
      @log << EM.send_data(unknown, "x", 1) << EM.get_sockname(unknown) << EM.close_connection(unknown, false)
      EM.stop
    end

    assert_equal [-1, nil, nil], @log
  end

  # --- callbacks that suspend

  def test_a_callback_that_blocks_lets_other_connections_go_on
    not_of_eventmachine "stops everything meanwhile"
    em do
      _, port = serve(Told, @log, :accepted, receive_data: lambda { |connection, data|
        sleep 0.05 if data == "slow"
        connection.send_data(data)
      })
      %w[slow fast].each do |word|
        EM.connect(HOST, port, Told, @log, word.to_sym, connection_completed: ->(client) { client.send_data(word) },
                                                        receive_data: ->(*) { EM.stop if word == "slow" })
      end
    end
    echoes = @log.filter_map { |who, event, data| data if event == :receive_data && who != :accepted }

    assert_equal %w[fast slow], echoes
  end

  def test_the_later_events_of_a_connection_wait_for_a_callback_that_blocks
    not_of_eventmachine "stops everything meanwhile"
    em do
      _, port = serve(Told, @log, :accepted, receive_data: lambda { |*|
        sleep 0.05
        @log << %i[accepted slept]
      }, unbind: ->(*) { EM.stop })
      TCPSocket.open(HOST, port) { |client| client.write("bye") }
    end

    assert_equal %i[initialize post_init receive_data slept unbind], of(@log, :accepted)
  end

  private

  # A client, given to the block, and a server that does as told and ends the reactor when it ends.
  def pair(acts = {}, &block)
    acts = { unbind: ->(*) {} }.merge(acts)
    stop = acts[:unbind]
    acts[:unbind] = lambda { |*arguments|
      stop.call(*arguments)
      EM.next_tick { EM.next_tick { EM.stop } }
    }
    em do
      _, port = serve(Told, [], :accepted, acts)
      EM.connect(HOST, port, Told, [], :client, connection_completed: block)
    end
  end

  # Seconds from the first to the end of a connection that gets something every 80 ms, until 240 ms have passed.
  def lifetime(acts)
    seconds { pair(acts) { |client| 4.times { |time| EM.add_timer(0.08 * time) { client.send_data("x") } } } }
  end

  # Time that passes without the reactor, also where `sleep` would let it go on.
  def sleep_without_reactor(seconds)
    limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
    nil until Process.clock_gettime(Process::CLOCK_MONOTONIC) > limit
  end

  def file_with(content)
    Tempfile.create("evented") do |file|
      file.binmode
      file.write(content)
      file.flush
      yield file.path
    end
  end
end
