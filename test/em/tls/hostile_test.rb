# frozen_string_literal: true

require "support/em_tls"

# Peers that are no good, and many at once. Whatever they do, the others go on.
class EMTLSHostileTest < Minitest::Test
  def test_garbage_ends_its_connection_and_no_other
    ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\0" * 100, "\x16\x03\x01\xff\xff#{"\xff" * 200}",
     Random.new(1).bytes(20_000)]
      .each do |garbage|
        with_a_good_client do |port|
          socket = TCPSocket.new(HOST, port)
          socket.write(garbage)
          socket
        end

        assert_equal [Errno::EPROTO], noted(:server, :unbind), garbage[0, 20].inspect
      end
  end

  def test_who_sends_garbage_is_told_by_an_alert
    not_of_eventmachine("just closes")
    answer = nil
    em do
      _, port = serve(Secured, [], :server, {})
      Thread.new do
        socket = TCPSocket.new(HOST, port)
        socket.write("GET / HTTP/1.1\r\n\r\n")
        answer = socket.read
      end
      stop_once { answer }
    end

    assert_equal [21, 3], answer.bytes.first(2)
  end

  def test_a_handshake_that_ends_early_is_a_quiet_end
    [0, 1, 5, 100].each do |length|
      with_a_good_client do |port|
        TCPSocket.new(HOST, port).tap do |socket|
          socket.write(hello.byteslice(0, length))
          socket.close_write
        end
      end

      assert_equal [nil], noted(:server, :unbind)
    end
  end

  def test_its_tls_error_says_so
    not_of_eventmachine("has none")
    why = nil
    em do
      _, port = serve(Secured, [], :server, {}, { unbind: ->(me, *) { why = me.tls_error } })
      TCPSocket.new(HOST, port).tap { |socket| socket.write(hello.byteslice(0, 50)) && socket.close }
      stop_once { why }
    end

    assert_match(/during the TLS handshake/, why)
  end

  def test_a_hello_that_comes_byte_by_byte_is_one
    log = []
    em do
      _, port = serve(Secured, log, :server, {})
      socket = TCPSocket.new(HOST, port)
      socket.setsockopt(:TCP, :NODELAY, true)
      bytes = hello.each_char.to_a
      timer = EM.add_periodic_timer(0.001) { bytes.empty? ? timer.cancel : socket.write(bytes.shift) }
      stop_once { socket.recv_nonblock(1, exception: false) != :wait_readable }
    end

    assert_equal %i[initialize post_init], of(log, :server).first(2)
  end

  def test_who_never_ends_a_handshake_is_ended_by_the_timeout
    with_a_good_client({ post_init: ->(me) { me.comm_inactivity_timeout = 0.2 } }) do |port|
      TCPSocket.new(HOST, port).tap { |socket| socket.write(hello.byteslice(0, 60)) }
    end

    assert_equal [Errno::ETIMEDOUT], noted(:server, :unbind)
  end

  def test_a_record_that_was_tampered_with_ends_the_connection
    not_of_eventmachine("hangs")
    log = []
    em do
      _, far = serve(Secured, log, :server, {})
      _, near = serve(tampering_with(far))
      EM.connect(HOST, near, Secured, [], :client, {}, { ssl_handshake_completed: ->(me) { me.send_data("x" * 300) } })
      stop_once { log.any? { |_, event,| event == :unbind } }
    end

    assert_includes log, [:server, :unbind, Errno::EPROTO]
    refute_includes of(log, :server), :receive_data
  end

  def test_bytes_after_a_goodbye_are_nothing
    log = []
    em do
      _, port = serve(Secured, log, :server, {})
      Thread.new do
        socket = TCPSocket.new(HOST, port)
        tls = OpenSSL::SSL::SSLSocket.new(socket).tap(&:connect)
        tls.write("hello")
        tls.__send__(:stop) # says goodbye, and leaves the socket open
        socket.write("garbage")
        socket.close_write
        socket.read
      end
      stop_once { log.any? { |_, event,| event == :unbind } }
    end

    assert_equal(["hello"], log.filter_map { |_, event, data| data if event == :receive_data })
  end

  def test_a_thousand_handshakes_at_once
    log = []
    em(limit: 60) do
      _, port = serve(Secured, log, :server, TLSCertificates.leaf.options,
                      { receive_data: ->(me, data) { me.send_data(data) } })
      1000.times do |number|
        EM.connect(HOST, port, Secured, log, number, {}, { ssl_handshake_completed: lambda { |me|
          me.send_data(number.to_s)
        } })
      end
      stop_once { log.count { |who, event,| who != :server && event == :receive_data } == 1000 }
    end

    log.each { |who, event, data| assert_equal who.to_s, data if who != :server && event == :receive_data }
  end

  private

  # What a client begins with.
  def hello
    @hello ||= begin
      ours, theirs = UNIXSocket.pair
      tls = OpenSSL::SSL::SSLSocket.new(ours)
      tls.connect_nonblock(exception: false)
      theirs.readpartial(10_000)
    ensure
      [ours, theirs].each(&:close)
    end
  end

  # A server whose first client is bad; the second, a good one, has to be served, and the first has to end.
  def with_a_good_client(acts = {})
    @log = []
    good = []
    acts = acts.merge(receive_data: ->(me, data) { me.send_data(data) })
    bad = nil
    em do
      names = %i[server other].each
      _, port = serve(Class.new(Secured) do
        define_method(:initialize) do |log|
          super(log, names.next, {}, acts)
        end
      end, @log)
      bad = yield port
      EM.add_timer(0.05) do
        EM.connect(HOST, port, Secured, good, :good, {}, { ssl_handshake_completed: ->(me) { me.send_data("hello") } })
      end
      stop_once { !noted(:server, :unbind).empty? && good.last == [:good, :receive_data, "hello"] }
    end
  ensure
    bad&.close
  end

  # A server that carries over what its client says to another, and changes a byte of what is long after the handshake.
  def tampering_with(port)
    Class.new(EM::Connection) do
      define_method(:post_init) do
        client = self
        @far = EM.connect(HOST, port, Class.new(EM::Connection) do
          define_method(:receive_data) { |data| client.send_data(data) }
        end)
      end

      def receive_data(data)
        @pieces = @pieces.to_i + 1
        data.setbyte(-1, data.getbyte(-1) ^ 1) if @pieces > 1 && data.bytesize > 300
        @far.send_data(data)
      end
    end
  end
end
