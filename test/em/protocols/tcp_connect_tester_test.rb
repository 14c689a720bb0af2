# frozen_string_literal: true

require "support/event_machine"
require "support/protocol_recorder"
require "support/scripted_peer"

class EMTcpConnectTesterTest < Minitest::Test
  def test_somebody_listens
    seconds = nil
    ScriptedPeer.open(lambda(&:read)) do |peer|
      em do
        test = EM::P::TcpConnectTester.test("127.0.0.1", peer.port)
        test.errback { EM.stop }
        test.callback do |taken|
          seconds = taken
          EM.stop
        end
      end
    end
    assert_includes 0..8, seconds
  end

  def test_nobody_listens
    port = TCPServer.open("127.0.0.1", 0) { |server| server.local_address.ip_port }
    seconds = nil
    em do
      test = EM::P::TcpConnectTester.test("127.0.0.1", port)
      test.callback { EM.stop }
      test.errback do |taken|
        seconds = taken
        EM.stop
      end
    end
    assert_includes 0..8, seconds
  end

  def test_there_is_no_such_host
    assert_raises(EM::ConnectionError) { em { EM::P::TcpConnectTester.test("nobody.invalid", 1) } }
  end
end
