# frozen_string_literal: true

require "support/em_tls"

# Bytes go through as without TLS.
class EMTLSDataTest < Minitest::Test
  def test_what_is_sent_before_the_handshake_arrives_first
    received = exchange(post_init: ->(me) { me.send_data("one ") }, connection_completed: lambda { |me|
      me.send_data("two ")
    },
                        ssl_handshake_completed: ->(me) { me.send_data("three") })

    assert_equal "one two three", received.call("one two three".size)
  end

  def test_send_data_says_one
    answers = []
    handshake(client_acts: { connection_completed: ->(me) { answers << me.send_data("ab") },
                             ssl_handshake_completed: ->(me) { answers << me.send_data("cd") } },
              stop: -> { answers.size == 2 })

    assert_equal [1, 1], answers
  end

  def test_a_megabyte_arrives_both_ways
    bytes = Random.new(1).bytes(1_000_000)
    back = +""
    handshake(server_acts: { receive_data: ->(me, data) { me.send_data(data) } },
              client_acts: { ssl_handshake_completed: ->(me) { me.send_data(bytes) },
                             receive_data: ->(_, data) { back << data } },
              stop: -> { back.bytesize >= bytes.bytesize })

    assert_equal bytes, back
  end

  def test_what_is_received_is_binary_and_of_at_most_16_kib
    handshake(client_acts: { ssl_handshake_completed: ->(me) { me.send_data("x" * 100_000) } },
              stop: -> { noted(:server, :receive_data).sum(&:bytesize) == 100_000 })
    pieces = noted(:server, :receive_data)

    assert(pieces.all? { |piece| piece.encoding == Encoding::BINARY && !piece.frozen? })
    assert_operator pieces.map(&:bytesize).max, :<=, 16_384
  end

  def test_everything_is_sent_before_it_closes
    each_version do |version|
      handshake(client: { ssl_version: version },
                client_acts: { ssl_handshake_completed: lambda { |me|
                  me.send_data("x" * 500_000)
                  me.close_connection_after_writing
                } })

      assert_equal 500_000, noted(:server, :receive_data).sum(&:bytesize)
      assert_equal [[nil], [nil]], [noted(:client, :unbind), noted(:server, :unbind)]
    end
  end

  def test_even_what_waits_for_the_handshake
    not_of_eventmachine("loses that")
    each_version do |version|
      handshake(client: { ssl_version: version },
                client_acts: { connection_completed: lambda { |me|
                  me.send_data("x" * 500_000)
                  me.close_connection_after_writing
                } })

      assert_equal 500_000, noted(:server, :receive_data).sum(&:bytesize)
      assert_equal [[nil], [nil]], [noted(:client, :unbind), noted(:server, :unbind)]
    end
  end

  def test_after_closing_nothing_is_taken
    not_of_eventmachine("says 1")
    answer = nil
    handshake(client_acts: { ssl_handshake_completed: lambda { |me|
      me.close_connection_after_writing
      answer = me.send_data("too late")
    } })

    assert_equal 0, answer
    assert_empty noted(:server, :receive_data)
  end

  def test_plain_bytes_come_before
    handler = Class.new(Told) do
      def receive_data(data)
        super
        return unless data == "STARTTLS\n"

        send_data("go on\n")
        start_tls
      end

      def ssl_handshake_completed = note(:ssl_handshake_completed)
    end
    log = []
    em do
      _, port = serve(handler, log, :server)
      client = Class.new(handler)
      client.define_method(:connection_completed) { send_data("STARTTLS\n") }
      client.define_method(:ssl_handshake_completed) { send_data("secret") }
      client.define_method(:receive_data) { |data| start_tls if data == "go on\n" }
      EM.connect(HOST, port, client, [], :client)
      stop_once { log.last == [:server, :receive_data, "secret"] }
    end

    assert_equal(%W[STARTTLS\n secret], log.filter_map { |_, event, data| data if event == :receive_data })
  end

  def test_a_first_flight_that_has_come_already_counts
    not_of_eventmachine("hands it out as data")
    # The callback suspends, and what follows waits for it.
    log = []
    acts = { receive_data: lambda { |me, data|
      next unless data == "STARTTLS\n"

      sleep(0.05)
      me.start_tls
    } }
    handler = Class.new(Told) { def ssl_handshake_completed = note(:ssl_handshake_completed) }
    em do
      _, port = serve(handler, log, :server, acts)
      EM.connect(HOST, port, Class.new(EM::Connection) do
        def connection_completed
          send_data("STARTTLS\n")
          EM.add_timer(0.01) { start_tls }
        end
      end)
      stop_once { log.include?(%i[server ssl_handshake_completed]) }
    end

    assert_equal(["STARTTLS\n"], log.filter_map { |_, event, data| data if event == :receive_data })
  end

  def test_a_paused_connection_gets_nothing_until_it_goes_on
    early = nil
    resume = lambda do |me|
      early = noted(:server, :receive_data)
      me.resume
    end
    handshake(server_acts: { ssl_handshake_completed: lambda { |me|
      me.pause
      EM.add_timer(0.1) { resume.call(me) }
    } }, client_acts: { ssl_handshake_completed: ->(me) { EM.add_timer(0.02) { me.send_data("hello") } } },
              stop: -> { noted(:server, :receive_data) == ["hello"] })

    assert_empty early
  end

  def test_what_is_relayed_is_decrypted_and_encrypted_again
    log = []
    em do
      _, far = serve(Secured, log, :far, {})
      relay = Class.new(Secured) do
        define_method(:post_init) do
          super()
          EM.enable_proxy(self, EM.connect(HOST, far, Secured, [], :relayed, {}))
        end
      end
      _, near = serve(relay, [], :near, {})
      EM.connect(HOST, near, Secured, [], :client, {}, { ssl_handshake_completed: ->(me) { me.send_data("relayed") } })
      stop_once { log.include?([:far, :receive_data, "relayed"]) }
    end
  end

  def test_it_works_on_a_unix_socket
    Dir.mktmpdir do |directory|
      log = []
      em do
        path = File.join(directory, "tls")
        EM.start_unix_domain_server(path, Secured, log, :server, {})
        EM.connect_unix_domain(path, Secured, [], :client, {}, { ssl_handshake_completed: lambda { |me|
          me.send_data("hi")
        } })
        stop_once { log.include?([:server, :receive_data, "hi"]) }
      end
    end
  end

  def test_outbound_bytes_are_counted
    size = nil
    handshake(client_acts: { ssl_handshake_completed: lambda { |me|
      me.send_data("x" * 10_000)
      size = me.get_outbound_data_size
    } }, stop: -> { size })

    assert_operator size, :>=, 10_000
  end

  def test_an_idle_handshake_ends_with_the_inactivity_timeout
    log = []
    em do
      _, port = serve(Told, [], :silent)
      EM.connect(HOST, port, Secured, log, :client, {}, { post_init: ->(me) { me.comm_inactivity_timeout = 0.2 } })
      stop_once { log.any? { |_, event,| event == :unbind } }
    end

    assert_equal [:client, :unbind, Errno::ETIMEDOUT], log.last
  end

  def test_a_reset_in_the_middle_of_a_handshake_is_a_reset
    log = []
    em do
      _, port = serve(Secured, log, :server, {})
      socket = TCPSocket.new(HOST, port)
      socket.setsockopt(:SOCKET, :LINGER, [1, 0].pack("ii"))
      socket.write("\x16\x03\x01")
      EM.add_timer(0.05) { socket.close }
      stop_once { log.any? { |_, event,| event == :unbind } }
    end

    assert_equal [:server, :unbind, Errno::ECONNRESET], log.last
  end

  private

  # A client that does this sends to a server.
  #
  # @return [Proc] which takes how many bytes are to be received, and returns them
  def exchange(acts)
    lambda do |size|
      handshake(client_acts: acts, stop: -> { noted(:server, :receive_data).sum(&:bytesize) >= size })
      noted(:server, :receive_data).join
    end
  end
end
