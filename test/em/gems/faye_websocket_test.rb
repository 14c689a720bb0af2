# frozen_string_literal: true

require "helper"
require "support/gem_process"
require "support/throwaway_certificate"
require "tmpdir"

# faye-websocket, unmodified: its client, and its server inside thin.
class FayeWebSocketTest < Minitest::Test
  TIME_LIMIT = 90

  SERVER = <<~RUBY
    require "faye/websocket"
    require "thin"
    $VERBOSE = nil
    Thin::Logging.silent = true
    Faye::WebSocket.load_adapter("thin")
    trap(:TERM) { EM.stop }

    App = lambda do |env|
      if Faye::WebSocket.websocket?(env)
        socket = Faye::WebSocket.new(env, ["chat"], ping: 30)
        socket.on(:message) { |event| socket.send(event.data) }
        socket.rack_response
      elsif Faye::EventSource.eventsource?(env)
        events = Faye::EventSource.new(env)
        3.times { |n| EM.add_timer(0.01 * n) { events.send(n.to_s, event: "count", id: n) } }
        EM.add_timer(0.05) { events.close }
        events.rack_response
      else
        [200, { "content-length" => "5" }, ["plain"]]
      end
    end

    def serve
      server = Thin::Server.new("127.0.0.1", 0, App, signals: false)
      yield server if block_given?
      # Starting may suspend: Thin loads a part of itself meanwhile.
      started = -> { server.running? ? puts(server.port) : EM.next_tick(started) }
      EM.next_tick(started)
      server.start
    end
  RUBY

  CLIENT = <<~RUBY
    require "faye/websocket"
    $VERBOSE = nil

    # Sends each, wants each back, then closes.
    def echo(url, messages, **options)
      socket = Faye::WebSocket::Client.new(url, ["chat"], options)
      left = messages.dup
      socket.on(:open) { puts "open \#{socket.protocol}"; messages.each { |message| socket.send(message) } }
      socket.on(:message) do |event|
        wanted = left.shift
        abort "\#{event.data.inspect[0, 99]} instead of \#{wanted.inspect[0, 99]}" unless event.data == wanted
        socket.close(3001, "enough") if left.empty?
      end
      socket.on(:error) { |event| puts "error \#{event.message}" }
      socket.on(:close) { |event| puts "close \#{event.code} \#{event.reason}"; EM.stop }
    end
  RUBY

  def setup
    needs_gems("faye-websocket", "thin")
  end

  def test_messages_come_back_from_a_server_inside_thin
    serving("#{SERVER}serve") do |server|
      said = output_with_em(<<~RUBY)
        #{CLIENT}
        messages = Array.new(1000) { |n| "message \#{n}" } << "x" * 1_000_000 << "\\u00fcml\\u00e4ut"
        EM.run { echo("ws://127.0.0.1:#{server.said}/", messages) }
      RUBY

      assert_equal "open chat\nclose 3001 enough\n", said
    end
  end

  def test_messages_come_back_over_tls_from_a_server_that_is_trusted
    over_tls do |server, certificate|
      said = output_with_em(<<~RUBY)
        #{CLIENT}
        EM.run do
          echo("wss://localhost:#{server.said}/", ["one", "x" * 500_000], tls: { root_cert_file: "#{certificate}" })
        end
      RUBY

      assert_equal "open chat\nclose 3001 enough\n", said
    end
  end

  def test_a_server_that_is_not_trusted_is_left
    over_tls do |server|
      said = output_with_em("#{CLIENT} EM.run { echo('wss://localhost:#{server.said}/', ['one']) }")

      assert_match(/^error .*Unable to verify the server certificate for 'localhost'$/, said)
      assert_match(/^close 1006 /, said)
    end
  end

  def test_a_server_of_another_name_is_left
    over_tls("elsewhere") do |server, certificate|
      said = output_with_em(<<~RUBY)
        #{CLIENT}
        EM.run { echo("wss://localhost:#{server.said}/", ["one"], tls: { root_cert_file: "#{certificate}" }) }
      RUBY

      assert_match(/^error .*Host 'localhost' does not match the server certificate$/, said)
      assert_match(/^close 1006 /, said)
    end
  end

  def test_a_port_where_nobody_listens_is_an_error
    closed = TCPServer.open("127.0.0.1", 0) { |server| server.local_address.ip_port }
    said = output_with_em("#{CLIENT} EM.run { echo('ws://127.0.0.1:#{closed}/', ['one']) }")

    assert_equal "error Errno::ECONNREFUSED\nclose 1006 \n", said
  end

  def test_a_name_that_does_not_exist_is_an_error
    said = output_with_em(<<~RUBY)
      #{CLIENT}
      EM.run { EM.add_timer(5) { EM.stop }; EM.next_tick { echo("ws://nowhere.invalid/", ["one"]) } }
    RUBY

    assert_match(%r{\Aerror Network error: ws://nowhere\.invalid/: unable to resolve address: .+\nclose 1006 \n\z},
                 said)
  end

  def test_events_are_sent_to_curl
    needs_programs("curl")
    serving("#{SERVER}serve") do |server|
      said = output_of("curl", "--silent", "--max-time", "10", "-H", "Accept: text/event-stream",
                       "http://127.0.0.1:#{server.said}/")

      assert_equal %w[0 1 2], said.scan(/^data: (.*)\r?$/).flatten.map(&:chomp)
    end
  end

  def test_plain_requests_are_answered_beside
    needs_programs("curl")
    serving("#{SERVER}serve") do |server|
      assert_equal "plain", output_of("curl", "--silent", "--max-time", "10", "http://127.0.0.1:#{server.said}/")
    end
  end

  # As programs do that have no loop of their own.
  def test_a_client_on_a_reactor_in_a_thread_of_its_own
    serving("#{SERVER}serve") do |server|
      said = output_with_em(<<~RUBY)
        #{CLIENT}
        thread = Thread.new { EM.run }
        Thread.pass until EM.reactor_running?
        EM.schedule { echo("ws://127.0.0.1:#{server.said}/", ["one"]) }
        thread.join
      RUBY

      assert_equal "open chat\nclose 3001 enough\n", said
    end
  end

  private

  # @yieldparam server [GemProcess::Served]
  # @yieldparam certificate [String] path of what to trust
  def over_tls(name = "localhost")
    Dir.mktmpdir do |directory|
      certificate = ThrowawayCertificate.new(directory, name: name)
      script = <<~RUBY
        #{SERVER}
        serve do |server|
          server.ssl = true
          server.ssl_options = { private_key_file: "#{certificate.key}", cert_chain_file: "#{certificate.certificate}" }
        end
      RUBY
      serving(script) { |server| yield server, certificate.certificate }
    end
  end
end
