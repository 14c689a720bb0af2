# frozen_string_literal: true

require "helper"
require "resolv"
require "support/client_tests"
require "support/name_server"

# Ruby's own resolver, for those who ask name servers themselves. (Connecting by name asks the system's, on a thread.)
class ResolvTest < Minitest::Test
  include ClientTests

  client "Resolv"
  without :g

  TXT = Resolv::DNS::Resource::IN::TXT

  def setup
    @server = serve
  end

  def teardown = @server&.close

  # There is no connection to be ended; who asks is told by the system that nobody listens.
  def test_e_the_server_hangs_up
    in_reactor do
      with_clients(1) do |(client)|
        port = @server.port
        @server.close

        assert_raises(Resolv::ResolvError) { ask(client, "anybody") }
        @server = serve(port)
        works(client)
      end
    end
  end

  # Several names of one server at a time, by one resolver.
  def test_one_resolver_of_many_fibers
    in_reactor do
      resolver = connect
      texts = Array.new(20) { |n| Evented { ask(resolver, "text #{n}") } }

      assert_equal(Array.new(20) { |n| "text #{n}" }, texts.map(&:value))
    ensure
      resolver&.close
    end
  end

  private

  # The text that a name spells.
  def serve(port = 0)
    NameServer.new("127.0.0.1", port) do |answer, name|
      answer.add_answer(name, 60, TXT.new([name.split(".").first].pack("H*")))
      case name
      when /\.in-(\d+)-ms\./ then Regexp.last_match(1).to_i / 1000.0
      when /\.never\./ then []
      end
    end
  end

  def connect(timeout: 5)
    Resolv::DNS.new(nameserver_port: [["127.0.0.1", @server.port]], search: [], ndots: 1).tap do |resolver|
      resolver.timeouts = timeout
    end
  end

  def ask(client, text, domain = "now")
    client.getresource("#{text.unpack1("H*")}.#{domain}.test", TXT).strings.join
  end

  def slow(client) = ask(client, "slow", "in-#{(SLOW * 1000).to_i}-ms")

  def stuck(client) = ask(client, "stuck", "never")

  def timeouts = [Resolv::ResolvError]
end
