# frozen_string_literal: true

require "helper"
require "socket"
require "support/gem_process"

# em-websocket, unmodified, as a server: to a faye client in another process, and to a peer that speaks bytes.
class EMWebSocketTest < Minitest::Test
  TIME_LIMIT = 90
  FRAMES = 100_000

  SERVER = <<~RUBY
    require "em-websocket"
    $VERBOSE = nil
    trap(:TERM) { EM.stop }

    def serve(**options, &block)
      EM.run do
        signature = EM.start_server("127.0.0.1", 0, EM::WebSocket::Connection, options, &block)
        puts Socket.unpack_sockaddr_in(EM.get_sockname(signature)).first
      end
    end
  RUBY

  ECHO = <<~RUBY
    serve do |socket|
      socket.onmessage { |text| socket.send(text) }
      socket.onbinary { |bytes| socket.send_binary(bytes) }
    end
  RUBY

  UPGRADE = "GET /chat HTTP/1.1\r\nHost: server\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

  def setup
    needs_gems("em-websocket")
  end

  # A hundred are under way at any time.
  def test_a_hundred_thousand_frames_come_back_from_a_faye_client_in_order
    needs_gems("faye-websocket")
    serving(SERVER + ECHO) do |server|
      said = output_with_em(<<~RUBY, patience: 60)
        require "faye/websocket"
        EM.run do
          socket = Faye::WebSocket::Client.new("ws://127.0.0.1:#{server.said}/")
          sent = came = 0
          send_one = -> { socket.send("frame \#{sent}"); sent += 1 }
          socket.on(:open) { 100.times { send_one.call } }
          socket.on(:message) do |event|
            abort "\#{event.data} instead of frame \#{came}" unless event.data == "frame \#{came}"
            came += 1
            came == #{FRAMES} ? socket.close : sent < #{FRAMES} && send_one.call
          end
          socket.on(:close) { |event| puts "\#{came} \#{event.code}"; EM.stop }
        end
      RUBY

      assert_equal "#{FRAMES} 1000\n", said
    end
  end

  def test_the_handshake_is_answered
    serving(SERVER + ECHO) do |server|
      upgraded(server) { |_, answer| assert_match(/^Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$/i, answer) }
    end
  end

  def test_frames_of_all_sizes_come_back
    serving(SERVER + ECHO) do |server|
      upgraded(server) do |socket|
        [0, 1, 125, 126, 127, 16_384, 65_535, 65_536, 3_000_000].each do |size|
          bytes = Random.new(size).bytes(size)
          sending = Thread.new { socket.write(frame(2, bytes)) }

          assert_equal [2, bytes], read_frame(socket), size
          sending.join
        end
      end
    end
  end

  def test_a_frame_that_comes_byte_by_byte
    serving(SERVER + ECHO) do |server|
      upgraded(server) do |socket|
        socket.setsockopt(:TCP, :NODELAY, true)
        frame(1, "slowly").each_char { |byte| socket.write(byte) }

        assert_equal [1, "slowly"], read_frame(socket)
      end
    end
  end

  def test_a_ping_is_answered
    serving(SERVER + ECHO) do |server|
      upgraded(server) do |socket|
        socket.write(frame(9, "there?"))

        assert_equal [10, "there?"], read_frame(socket)
      end
    end
  end

  def test_the_close_handshake_ends_with_the_end_of_the_connection
    serving(SERVER + ECHO) do |server|
      upgraded(server) do |socket|
        socket.write(frame(8, [1000].pack("n")))

        assert_equal 8, read_frame(socket).first
        assert_nil socket.read(1)
      end
    end
  end

  def test_garbage_is_dropped_and_the_server_goes_on
    serving("#{SERVER}#{ECHO.sub("do |socket|", "do |socket|\nsocket.onerror { }")}") do |server|
      TCPSocket.open("127.0.0.1", server.said) do |socket|
        socket.write("no handshake\r\n\r\n")

        assert_empty socket.read
      end
      upgraded(server) { |_, answer| assert_match(/ 101 /, answer) }
    end
  end

  def test_a_peer_that_vanishes_is_noticed
    serving(<<~RUBY) do |server|
      #{SERVER}
      serve do |socket|
        socket.onopen { EM.next_tick { (@others ||= []) << socket } }
        socket.onclose { |event| @others.delete(socket); @others.each { |other| other.send("clean: \#{event[:was_clean]}") } }
      end
    RUBY
      upgraded(server) do |staying|
        upgraded(server) { |leaving| leaving.setsockopt(:SOCKET, :LINGER, [1, 0].pack("ii")) }

        assert_equal [1, "clean: false"], read_frame(staying)
      end
    end
  end

  # Its own loop, which takes signals.
  def test_it_runs_by_itself_until_a_signal_comes
    port = TCPServer.open("127.0.0.1", 0) { |server| server.local_address.ip_port }
    script = <<~RUBY
      require "em-websocket"
      EM.next_tick { puts "ready" }
      EM::WebSocket.start(host: "127.0.0.1", port: #{port}) { |socket| socket.onmessage { |text| socket.send(text) } }
    RUBY
    serving(script) do |server|
      server.said = port
      upgraded(server) do |socket|
        socket.write(frame(1, "hello"))

        assert_equal [1, "hello"], read_frame(socket)
      end
    end
  end

  private

  def upgraded(server)
    TCPSocket.open("127.0.0.1", server.said) do |socket|
      socket.write(UPGRADE)
      yield socket, socket.gets("\r\n\r\n")
    end
  end

  # As a client sends it: masked.
  def frame(kind, payload)
    length = if payload.bytesize < 126 then [0x80 | payload.bytesize].pack("C")
             elsif payload.bytesize < 65_536 then [0xfe, payload.bytesize].pack("Cn")
             else [0xff, payload.bytesize].pack("CQ>")
             end
    # A mask of zeros leaves the payload as it is.
    "#{[0x80 | kind].pack("C")}#{length}\0\0\0\0".b + payload.b
  end

  # @return [Array(Integer, String)] its kind and its payload
  def read_frame(socket)
    kind, length = socket.read(2).unpack("CC")
    case length
    when 126 then length = socket.read(2).unpack1("n")
    when 127 then length = socket.read(8).unpack1("Q>")
    end
    [kind & 0xf, socket.read(length)]
  end
end
