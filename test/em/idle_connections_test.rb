# frozen_string_literal: true

require "helper"
require "support/idle_connections"

# Very many connections in one process, which do nothing: as many as it may have descriptors, up to 50,000.
class IdleConnectionsTest < Minitest::Test
  TIME_LIMIT = 90
  COUNT = 50_000

  def test_they_are_accepted_in_seconds_and_take_little_memory
    skip "it reads Linux's /proc" unless File.exist?("/proc/self/statm")
    count = IdleConnections.attainable(COUNT)
    skip "a process may have too few descriptors here (ulimit -Hn)" if count < 10_000
    # The driver is that of this process, as the environment says.
    IdleConnections.open(count) do |idle|
      puts "\n#{count} connections: #{idle.native.round} bytes each beside Ruby's objects (#{idle.objects.round}), " \
           "all accepted within #{idle.accepted_within.round(2)} s"

      assert_operator idle.native, :<, 2048
      assert_operator idle.accepted_within, :<, 5
      assert_match(/\AHTTP.1.1 200/, answer(idle.port))
    end
  end

  private

  def answer(port)
    TCPSocket.open("127.0.0.1", port) do |socket|
      socket.write("GET / HTTP/1.1\r\n\r\n")
      socket.readpartial(100)
    end
  end
end
