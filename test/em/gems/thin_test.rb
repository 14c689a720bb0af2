# frozen_string_literal: true

require "helper"
require "net/http"
require "socket"
require "support/gem_process"
require "support/throwaway_certificate"
require "tempfile"
require "tmpdir"

# Thin, unmodified: a Rack application over TCP, a unix socket and TLS, to clients of other makes.
class ThinTest < Minitest::Test
  TIME_LIMIT = 90

  SERVER = <<~RUBY
    require "thin"
    Thin::Logging.silent = true

    # The body of an answer that comes later, in parts.
    class Later
      include EventMachine::Deferrable

      def each(&block) = @block = block
      def say(part) = @block.call(part)
    end

    def later(env)
      body = Later.new
      EM.next_tick { env["async.callback"].call([200, { "content-type" => "text/plain" }, body]) }
      EM.add_timer(0.01) { body.say("one ") }
      EM.add_timer(0.02) { body.say("two ") }
      EM.add_timer(0.03) { body.say("three"); body.succeed }
      throw :async
    end

    App = lambda do |env|
      body = case env["PATH_INFO"]
             when "/echo" then env["rack.input"].read
             when "/large" then "0123456789abcdef" * 327_680
             when "/sleep" then sleep(0.3) && "slept"
             when "/peer" then env["REMOTE_ADDR"]
             when "/scheme" then env["rack.url_scheme"]
             when "/raise" then raise "on purpose"
             when "/later" then later(env)
             when "/deferred" then (Thread.current == EM.reactor_thread).to_s
             else "Hello, world!"
             end
      [200, { "content-type" => "text/plain", "content-length" => body.bytesize.to_s }, [body]]
    end
    def App.deferred?(env) = env["PATH_INFO"] == "/deferred"

    # Thin itself looks at signals once a second.
    def serve(*where)
      server = Thin::Server.new(*where, App, signals: false)
      trap(:TERM) { EM.stop }
      server.maximum_persistent_connections = 2_000
      yield server if block_given?
      # Starting may suspend: Thin loads a part of itself meanwhile.
      started = -> { server.running? ? puts(where.size == 1 ? "unix" : server.port) : EM.next_tick(started) }
      EM.next_tick(started)
      server.start
    end
  RUBY

  def setup
    needs_gems("thin")
    needs_programs("curl")
  end

  def test_curl_gets_the_page_of_a_rack_application
    serving_tcp { |url| assert_equal "Hello, world!", curl(url) }
  end

  def test_curl_gets_many_pages_over_one_connection
    serving_tcp do |url|
      connects = curl("-o", File::NULL, "-w", "%{num_connects}\n", "#{url}?[1-20]") # rubocop:disable Style/FormatStringToken

      assert_equal ["1", *["0"] * 19], connects.split
    end
  end

  def test_a_body_comes_back_as_it_was_sent
    Tempfile.create("body") do |file|
      file.write(Random.new(1).bytes(3_000_000))
      file.flush
      serving_tcp do |url|
        back = curl("--data-binary", "@#{file.path}", "-H", "Expect:", "#{url}echo").b

        assert_equal File.binread(file.path), back
      end
    end
  end

  def test_five_mebibytes_go_out_whole_to_a_slow_reader
    serving_tcp do |url|
      assert_equal "0123456789abcdef" * 327_680, curl("--limit-rate", "20M", "#{url}large")
    end
  end

  def test_an_answer_may_come_later_in_parts
    serving_tcp { |url| assert_equal "one two three", curl("#{url}later") }
  end

  def test_an_application_may_run_on_a_thread
    serving_tcp { |url| assert_equal "false", curl("#{url}deferred") }
  end

  def test_it_knows_who_asks
    serving_tcp { |url| assert_equal "127.0.0.1", curl("#{url}peer") }
  end

  def test_an_exception_is_answered_and_the_server_goes_on
    serving_tcp do |url|
      assert_match(%r{\AHTTP/1.1 500 }, curl("--include", "#{url}raise"))
      assert_equal "Hello, world!", curl(url)
    end
  end

  def test_garbage_is_refused_and_the_server_goes_on
    serving_tcp do |url|
      TCPSocket.open("127.0.0.1", URI(url).port) do |socket|
        socket.write("\x00\xff no HTTP \r\n\r\n")

        assert_match(%r{\AHTTP/1.1 400 }, socket.read)
      end
      assert_equal "Hello, world!", curl(url)
    end
  end

  def test_wrk_gets_nothing_but_good_answers
    needs_programs("wrk")
    serving_tcp do |url|
      report = output_of("wrk", "-t1", "-c64", "-d2s", url)

      refute_match(/Socket errors|Non-2xx/, report)
      assert_operator report[/(\d+) requests in/, 1].to_i, :>, 500, report
    end
  end

  def test_curl_gets_pages_over_a_unix_socket
    serving_unix do |path|
      pages = curl("--unix-socket", path, "http://thin/?[1-20]")

      assert_equal "Hello, world!" * 20, pages
    end
  end

  def test_many_clients_at_once_over_a_unix_socket
    serving_unix do |path|
      threads = Array.new(50) { Thread.new { raw_pages(path, 20) } }

      assert_equal [20] * 50, threads.map(&:value)
    end
  end

  def test_curl_gets_pages_over_tls
    with_certificate do |certificate|
      serving_tcp(<<~RUBY, scheme: "https", host: "localhost") do |url|
        serve("127.0.0.1", 0) do |server|
          server.ssl = true
          server.ssl_options = { private_key_file: "#{certificate.key}", cert_chain_file: "#{certificate.certificate}" }
        end
      RUBY
        assert_equal "https" * 5, curl("--cacert", certificate.certificate, "#{url}scheme?[1-5]")
        assert_equal "0123456789abcdef" * 327_680, curl("--cacert", certificate.certificate, "#{url}large")
      end
    end
  end

  def test_the_command_thin_serves_a_config_ru
    Dir.mktmpdir do |directory|
      File.write("#{directory}/config.ru", "run ->(env) { [200, { 'content-length' => '4' }, ['rack']] }")
      script = "$stdout.sync = true; load '#{Gem.bin_path("thin", "thin")}'"
      serving(*ruby_with_em("-e", script, "--", "start", "--socket", "#{directory}/thin.sock",
                            "--rackup", "#{directory}/config.ru")) do
        wait_until { File.socket?("#{directory}/thin.sock") }

        assert_equal "rack", curl("--unix-socket", "#{directory}/thin.sock", "http://thin/")
      end
    end
  end

  def test_an_application_that_blocks_lets_the_others_be_answered
    not_on_eventmachine("a callback that blocks stops it")
    serving_tcp do |url|
      started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      pages = Array.new(10) { Thread.new { curl("#{url}sleep") } }.map(&:value)

      assert_equal ["slept"] * 10, pages
      assert_operator Process.clock_gettime(Process::CLOCK_MONOTONIC) - started, :<, 2.5
    end
  end

  private

  def serving_tcp(script = "serve('127.0.0.1', 0)", scheme: "http", host: "127.0.0.1")
    serving(SERVER + script) { |served| yield "#{scheme}://#{host}:#{served.said}/" }
  end

  def serving_unix
    Dir.mktmpdir do |directory|
      serving("#{SERVER}serve('#{directory}/thin.sock')") { yield "#{directory}/thin.sock" }
    end
  end

  def with_certificate
    Dir.mktmpdir { |directory| yield ThrowawayCertificate.new(directory) }
  end

  def curl(*)
    output_of("curl", "--silent", "--show-error", "--max-time", "20", *)
  end

  # @return [Integer] good pages over one connection
  def raw_pages(path, count)
    UNIXSocket.open(path) do |socket|
      count.times.count do
        socket.write("GET / HTTP/1.1\r\nHost: thin\r\n\r\n")
        head = socket.gets("\r\n\r\n")
        head.start_with?("HTTP/1.1 200") && socket.read(13) == "Hello, world!"
      end
    end
  end
end
