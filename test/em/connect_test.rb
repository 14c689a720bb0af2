# frozen_string_literal: true

require "support/event_machine"
require "tmpdir"

# Clients.
class EMConnectTest < Minitest::Test
  def setup
    @log = []
  end

  def test_everything_but_the_connection_itself_happens_inside_connect
    em do
      _, port = serve(Told, [], :accepted, post_init: ->(connection) { connection.send_data("welcome") })
      connection = EM.connect(HOST, port, Told, @log, :client, receive_data: ->(client, _) { client.close_connection },
                                                               unbind: ->(*) { EM.stop }) do |made|
        @log << [:client, :block, made.class]
      end
      @log << [:client, :connected, connection.signature.class]
    end

    assert_equal %i[initialize post_init block connected connection_completed receive_data unbind], of(@log, :client)
    assert_equal [:client, :unbind, nil], @log.last
  end

  def test_nobody_listening_is_told_to_unbind_alone
    port = unused_port
    em { EM.connect(HOST, port, Told, @log, :client, unbind: ->(*) { EM.stop }) }

    assert_equal %i[initialize post_init unbind], of(@log, :client)
    assert_equal [:client, :unbind, Errno::ECONNREFUSED], @log.last
  end

  def test_unbind_comes_once
    em do
      _, port = serve
      EM.connect(HOST, port, Told, @log, :client, connection_completed: lambda { |client|
        client.close_connection
        client.close_connection_after_writing
        client.close_connection
      })
      EM.add_timer(0.05) { EM.stop }
    end

    assert_equal 1, of(@log, :client).count(:unbind)
  end

  def test_a_connection_that_is_open_at_the_end_is_unbound
    em do
      _, port = serve
      EM.connect(HOST, port, Told, @log, :client, connection_completed: ->(_) { EM.stop })
    end

    assert_equal %i[initialize post_init connection_completed unbind], of(@log, :client)
  end

  def test_an_unknown_name_is_an_error_of_connect
    em do
      @log << assert_raises(EM::ConnectionError) { EM.connect("no.such.host.invalid", 80) }.message
      EM.stop
    end

    assert_match(/\Aunable to resolve address: \S+/, @log.first)
    refute_match(/getaddrinfo/, @log.first)
  end

  def test_a_name_is_looked_up
    em do
      _, port = serve
      EM.connect("localhost", port, Told, @log, :client, connection_completed: ->(_) { EM.stop })
    end

    assert_includes of(@log, :client), :connection_completed
  end

  def test_port_zero_is_an_error
    em do
      @log << assert_raises(EM::ConnectionError) { EM.connect(HOST, 0) }.message
      EM.stop
    end

    assert_equal ["invalid server or port"], @log
  end

  def test_the_port_may_be_a_string
    em do
      _, port = serve
      EM.connect(HOST, port.to_s, Told, @log, :client, connection_completed: ->(_) { EM.stop })
    end

    assert_includes of(@log, :client), :connection_completed
  end

  def test_names_of_the_socket_can_be_asked_for_at_once
    em do
      _, port = serve
      connection = EM.connect(HOST, port)
      @log << Socket.unpack_sockaddr_in(connection.get_peername) << [port, HOST]
      @log << Socket.unpack_sockaddr_in(connection.get_sockname).last << connection.error?
      connection.set_sock_opt(Socket::SOL_SOCKET, Socket::SO_KEEPALIVE, true)
      EM.stop
    end

    assert_equal @log[1], @log[0]
    assert_equal [HOST, false], @log[2..]
  end

  def test_data_can_be_sent_before_it_is_connected
    em do
      _, port = serve(Told, @log, :accepted, receive_data: ->(*) { EM.stop })
      EM.connect(HOST, port, Told, [], :client, post_init: ->(client) { @log << client.send_data("early") })
    end

    assert_includes @log, 5
    assert_includes @log, [:accepted, :receive_data, "early"]
  end

  def test_it_can_be_closed_before_it_is_connected
    em do
      _, port = serve
      EM.connect(HOST, port, Told, @log, :client, post_init: lambda(&:close_connection),
                                                  unbind: ->(*) { EM.stop })
    end

    # EventMachine may tell that it was connected in between.
    assert_equal %i[initialize post_init unbind], of(@log, :client) - [:connection_completed]
  end

  def test_sockets_of_clients_have_no_delay
    em do
      _, port = serve
      EM.connect(HOST, port) do |connection|
        @log << connection.get_sock_opt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY).unpack1("i")
        EM.stop
      end
    end

    assert_equal [1], @log
  end

  def test_bind_connect_comes_from_where_it_is_told_to
    from = unused_port
    em do
      _, port = serve(Told, @log, :accepted, receive_data: lambda { |connection, _|
        @log << Socket.unpack_sockaddr_in(connection.get_peername)
        EM.stop
      })
      EM.bind_connect("127.0.0.2", from, HOST, port) { |client| client.send_data("hi") }
    end

    assert_includes @log, [from, "127.0.0.2"]
  end

  def test_bind_connect_may_leave_address_or_port_open
    em do
      _, port = serve(Told, @log, :accepted)
      EM.bind_connect("127.0.0.2", nil, HOST, port)
      EM.bind_connect(nil, nil, HOST, port)
      stop_once { of(@log, :accepted).count(:post_init) == 2 }
    end
  end

  def test_what_can_not_be_bound_to_is_an_error
    em do
      ["999.1.1.1", "192.0.2.1"].each do |address|
        @log << assert_raises(EM::ConnectionError) { EM.bind_connect(address, 0, HOST, 80) }.message
      end
      EM.stop
    end

    assert_match(/\Ainvalid bind address: \S+/, @log.first)
    assert_equal "couldn't bind to address", @log.last
  end

  def test_unix_sockets_are_connected_to_by_path
    in_directory do |path|
      em do
        EM.start_unix_domain_server(path, Told, @log, :accepted, receive_data: ->(*) { EM.stop })
        EM.connect(path, Told, @log, :client, connection_completed: ->(client) { client.send_data("hi") })
        EM.connect_unix_domain(path, Told, @log, :other)
      end

      assert_equal %i[initialize post_init connection_completed unbind], of(@log, :client)
      assert_includes @log, [:accepted, :receive_data, "hi"]
    end
  end

  def test_a_unix_socket_where_nobody_listens_is_an_error
    em do
      @log << assert_raises(RuntimeError) { EM.connect_unix_domain("/nowhere/at/all") }.message
      EM.stop
    end

    assert_equal ["no connection"], @log
  end

  def test_reconnect_gives_the_same_object_another_connection
    em do
      _, port = serve(Told, [], :accepted, receive_data: ->(connection, _) { connection.close_connection })
      ended = 0
      EM.connect(HOST, port, Told, @log, :client,
                 connection_completed: ->(client) { client.send_data(client.signature.to_s) },
                 unbind: lambda { |client, _|
                   @log << [:client, client.signature]
                   (ended += 1) == 2 ? EM.stop : client.reconnect(HOST, port)
                 })
    end

    names = of(@log, :client)
    first, second = names.grep(Integer)

    assert_equal [:initialize, :post_init, :connection_completed, :unbind, first, :connection_completed, :unbind,
                  second], names
    refute_equal first, second
  end

  def test_a_connection_that_always_comes_back_does_not_keep_the_reactor
    ends = 0
    em do
      _, port = serve
      EM.connect(HOST, port, Module.new do
        define_method(:connection_completed) { EM.stop }
        define_method(:unbind) do
          ends += 1
          EM.connect(HOST, port)
        end
      end)
    end

    assert_equal 1, ends
  end

  def test_reconnect_of_what_is_connected_does_nothing
    em do
      _, port = serve
      connection = EM.connect(HOST, port)
      signature = connection.signature
      @log << EM.reconnect(HOST, port, connection).equal?(connection) << (connection.signature == signature)
      EM.stop
    end

    assert_equal [true, true], @log
  end

  def test_reconnect_wants_a_handler
    em do
      @log << assert_raises(RuntimeError) { EM.reconnect(HOST, 9, Object.new) }.message
      EM.stop
    end

    assert_equal ["invalid handler"], @log
  end

  def test_a_connection_that_is_not_made_in_time_ends
    unanswered do |port|
      em do
        EM.connect(HOST, port, Told, @log, :client, unbind: ->(*) { EM.stop }) do |client|
          @log << [:limit, client.pending_connect_timeout, client.pending_connect_timeout = 0.1]
          @log << [:limit, client.set_pending_connect_timeout(0.1), client.pending_connect_timeout.round(3)]
        end
      end
    end

    assert_includes @log, [:limit, 20.0, 0.1]
    assert_includes @log, [:limit, true, 0.1]
    assert_equal %i[initialize post_init unbind], of(@log, :client)
    assert_equal [:client, :unbind, Errno::ETIMEDOUT], @log.last
  end

  def test_a_pending_connection_has_no_peer_yet
    unanswered do |port|
      em do
        connection = EM.connect(HOST, port)
        @log << assert_raises(RuntimeError) { connection.get_peername }.message
        EM.stop
      end
    end

    assert_equal ["unable to get peer name: Transport endpoint is not connected"], @log
  end

  def test_the_addresses_of_a_name_are_tried_one_after_the_other
    not_of_eventmachine "tries the first address only"
    em do
      _, port = serve
      name_of("127.0.0.3", HOST) do |name|
        EM.connect(name, port, Told, @log, :client, connection_completed: lambda { |client|
          @log << Socket.unpack_sockaddr_in(client.get_peername)
          EM.stop
        })
        @log << [port, HOST]
      end
    end

    assert_equal %i[initialize post_init connection_completed unbind], of(@log, :client)
    assert_equal 2, @log.count(@log.find { |entry| entry.last == HOST })
  end

  def test_an_address_that_does_not_answer_does_not_keep_the_next_one_waiting_for_long
    not_of_eventmachine "tries the first address only"
    took = seconds do
      unanswered("127.0.0.3") do |port|
        em do
          EM.start_server(HOST, port)
          name_of("127.0.0.3", HOST) do |name|
            EM.connect(name, port, Told, @log, :client, connection_completed: ->(_) { EM.stop })
          end
        end
      end
    end

    assert_includes of(@log, :client), :connection_completed
    assert_operator took, :<, 5
  end

  def test_when_no_address_answers_the_last_error_is_the_reason
    not_of_eventmachine "tries the first address only"
    em do
      name_of("127.0.0.3", "127.0.0.4") do |name|
        EM.connect(name, unused_port, Told, @log, :client, unbind: ->(*) { EM.stop })
      end
    end

    assert_equal [[:client, :unbind, Errno::ECONNREFUSED]], @log.last(1)
    assert_equal %i[initialize post_init unbind], of(@log, :client)
  end

  private

  def unused_port = TCPServer.open(HOST, 0) { |server| server.addr[1] }

  def in_directory
    Dir.mktmpdir { |directory| yield File.join(directory, "socket") }
  end

  # A name that has these addresses, as far as the block is concerned.
  def name_of(*addresses)
    resolver = Addrinfo.singleton_class
    resolver.alias_method :getaddrinfo_of_the_system, :getaddrinfo
    resolver.define_method(:getaddrinfo) do |host, port, *rest|
      next getaddrinfo_of_the_system(host, port, *rest) unless host == "several.test"
      raise SocketError, "a name" if rest.include?(Socket::AI_NUMERICHOST)

      addresses.map { |address| Addrinfo.tcp(address, port) }
    end
    yield "several.test"
  ensure
    resolver.remove_method :getaddrinfo
    resolver.alias_method :getaddrinfo, :getaddrinfo_of_the_system
    resolver.remove_method :getaddrinfo_of_the_system
  end

  # A port where connections are neither made nor refused: the queue of those that wait to be accepted is full.
  def unanswered(host = HOST)
    server = Socket.new(:INET, :STREAM)
    server.bind(Addrinfo.tcp(host, 0))
    server.listen(0)
    fillers = Array.new(3) do
      Socket.new(:INET, :STREAM).tap { |filler| filler.connect_nonblock(server.local_address, exception: false) }
    end
    yield server.local_address.ip_port
  ensure
    [server, *fillers].compact.each(&:close)
  end
end
