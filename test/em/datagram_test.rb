# frozen_string_literal: true

require "support/event_machine"

# Datagrams.
class EMDatagramTest < Minitest::Test
  def setup
    @log = []
  end

  def test_datagrams_are_sent_received_and_answered
    em do
      server = udp(Told, @log, :server, receive_data: ->(connection, data) { connection.send_data(data.upcase) })
      client = udp(Told, @log, :client, receive_data: ->(*) { EM.stop })
      @log << client.send_datagram("hello", HOST, port(server))
    end

    assert_includes @log, 5
    assert_equal %i[initialize post_init receive_data unbind], of(@log, :server)
    assert_includes @log, [:client, :receive_data, "HELLO"]
  end

  def test_the_peer_is_the_last_sender
    em do
      server = udp(Told, @log, :server, receive_data: lambda { |connection, _|
        @log << Socket.unpack_sockaddr_in(connection.get_peername)
        EM.stop
      })
      client = udp
      @log << [port(client), HOST]
      client.send_datagram("x", HOST, port(server))
    end

    assert_equal 2, @log.count(@log.grep(Array).find { |entry| entry.last == HOST })
  end

  def test_each_is_received_alone_and_an_empty_one_as_well
    em do
      server = udp(Told, @log, :server, receive_data: ->(_, data) { EM.stop if data == "last" })
      sender = UDPSocket.new
      ["one", "", "two", "last"].each { |data| sender.send(data, 0, HOST, port(server)) }
    end

    assert_equal(["one", "", "two", "last"], @log.filter_map { |_, event, data| data if event == :receive_data })
  end

  def test_several_are_sent_in_order
    em do
      server = udp(Told, @log, :server, receive_data: ->(_, data) { EM.stop if data == "49" })
      client = udp
      50.times { |number| client.send_datagram(number.to_s, HOST, port(server)) }
    end

    assert_equal(50.times.map(&:to_s), @log.filter_map { |_, event, data| data if event == :receive_data })
  end

  def test_large_ones_arrive_whole
    em do
      server = udp(Told, @log, :server, receive_data: ->(*) { EM.stop })
      udp.send_datagram("x" * 16_000, HOST, port(server))
    end

    assert_includes @log, [:server, :receive_data, "x" * 16_000]
  end

  def test_ipv6
    em do
      server = EM.open_datagram_socket("::1", 0, Told, @log, :server, receive_data: lambda { |connection, _|
        connection.send_data("yes")
      })
      client = EM.open_datagram_socket("::1", 0, Told, @log, :client, receive_data: ->(*) { EM.stop })
      client.send_datagram("six?", "::1", port(server))
    end

    assert_includes @log, [:client, :receive_data, "yes"]
  end

  def test_a_bad_address_is_an_error
    em do
      @log << assert_raises(EM::ConnectionError) { udp.send_datagram("x", "no.such.host.invalid", 9) }.message
      EM.stop
    end

    assert_equal ["error in sending datagram"], @log
  end

  def test_only_datagram_sockets_send_datagrams
    em do
      connection = EM.attach(UNIXSocket.pair.first)
      @log << assert_raises(EM::ConnectionError) { connection.send_datagram("x", HOST, 9) }.message
      EM.stop
    end

    assert_equal ["error in sending datagram"], @log
  end

  def test_an_address_of_another_machine_or_one_in_use_can_not_be_opened
    em do
      @log << assert_raises(RuntimeError) { EM.open_datagram_socket("192.0.2.1", 0) }.message
      @log << assert_raises(RuntimeError) { EM.open_datagram_socket("no.such.host.invalid", 0) }.message
      EM.stop
    end

    assert_equal ["no datagram socket"], @log.uniq
  end

  def test_broadcasts_are_allowed
    em do
      @log << udp.get_sock_opt(Socket::SOL_SOCKET, Socket::SO_BROADCAST).unpack1("i")
      EM.stop
    end

    assert_equal [1], @log
  end

  def test_a_port_where_nobody_is_does_no_harm
    em do
      closed = UDPSocket.open { |socket| socket.bind(HOST, 0) && socket.addr[1] }
      server = udp(Told, @log, :server, receive_data: ->(*) { EM.stop })
      client = udp
      client.send_datagram("lost", HOST, closed)
      EM.add_timer(0.02) { client.send_datagram("found", HOST, port(server)) }
    end

    assert_includes @log, [:server, :receive_data, "found"]
  end

  def test_unbind_has_no_reason
    em do
      udp(Told, @log, :it, unbind: ->(*) { EM.stop }).close_connection
    end

    assert_equal [:it, :unbind, nil], @log.last
  end

  def test_what_was_sent_leaves_before_a_close_after_writing
    em do
      server = udp(Told, @log, :server, receive_data: ->(*) { EM.stop })
      client = udp
      client.send_datagram("last words", HOST, port(server))
      client.close_connection_after_writing
    end

    assert_includes @log, [:server, :receive_data, "last words"]
  end

  private

  def udp(*handler) = EM.open_datagram_socket(HOST, 0, *handler)

  def port(connection) = Socket.unpack_sockaddr_in(connection.get_sockname).first
end
