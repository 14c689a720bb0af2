# frozen_string_literal: true

require "helper"
require "socket"
require "support/scheduled"

class TCPFastFallbackTest < Minitest::Test
  def test_connecting_by_name_lets_the_other_fibers_go_on
    in_company do
      server = TCPServer.new("127.0.0.1", 0)
      Fiber.schedule { server.accept.write("hello") }

      assert_equal "hello", TCPSocket.new("localhost", server.local_address.ip_port).readpartial(10)
    end
  end

  def test_it_is_off_inside_and_as_it_was_outside
    skip "Ruby has it from 3.4 on, this is #{RUBY_VERSION}" unless Socket.respond_to?(:tcp_fast_fallback)

    outside = Socket.tcp_fast_fallback
    scheduled { refute Socket.tcp_fast_fallback }
    assert_equal outside, Socket.tcp_fast_fallback
    scheduled { assert_equal(outside, Thread.new { Socket.tcp_fast_fallback }.value) }
  end
end
