# frozen_string_literal: true

require "helper"
require_relative "../../bench/em/idle"
require_relative "../../bench/harness"

# Very many connections in one process, which do nothing: as many as it may have descriptors, up to 50,000.
class IdleConnectionsTest < Minitest::Test
  TIME_LIMIT = 90
  COUNT = 50_000

  def test_they_are_accepted_in_seconds_and_take_little_memory
    skip "it reads Linux's /proc" unless File.exist?("/proc/self/statm")
    count = Bench::Idle.attainable(COUNT)
    skip "a process may have too few descriptors here (ulimit -Hn)" if count < 10_000
    # The driver is that of this process.
    subject = Bench::Answering::SUBJECTS.find { |one| one.ours && one.env["EVENTED_DRIVER"] == Evented.driver.to_s }
    Bench::Answering.open(subject, count) do |answering|
      Bench::Idle.hold(answering, count) do |sample|
        puts format("\n%<connections>d connections: %<native>.0f bytes each beside Ruby's objects (%<objects>.0f), " \
                    "all accepted within %<accepted_within>.2f s", sample)

        assert_operator sample[:native], :<, 2048
        assert_operator sample[:accepted_within], :<, 5
        assert_match(/\AHTTP.1.1 200/, answer(answering.port))
      end
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
