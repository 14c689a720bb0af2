# frozen_string_literal: true

require "helper"
require "socket"
require "support/scheduled"

class AddressResolveTest < Minitest::Test
  LOOPBACK = %w[127.0.0.1 ::1].freeze

  def test_a_name_from_the_hosts_file
    in_company do |scheduler|
      addresses = scheduler.address_resolve("localhost")

      refute_empty addresses
      assert_empty addresses - LOOPBACK
    end
  end

  def test_connecting_to_a_name
    in_company do
      server = TCPServer.new("127.0.0.1", 0)
      Fiber.schedule { server.accept.write("hello") }

      assert_equal "hello", TCPSocket.new("localhost", server.local_address.ip_port).readpartial(10)
    end
  end

  def test_connecting_with_socket_tcp
    in_company do
      server = TCPServer.new("127.0.0.1", 0)
      Fiber.schedule { server.accept.write("hello") }

      Socket.tcp("localhost", server.local_address.ip_port) do |socket|
        assert_equal "hello", socket.readpartial(10)
      end
    end
  end

  def test_listening_on_a_name
    scheduled do
      server = TCPServer.new("localhost", 0)

      assert_includes LOOPBACK, server.local_address.ip_address
    end
  end

  def test_addrinfo
    scheduled do
      assert_includes LOOPBACK, Addrinfo.tcp("localhost", 80).ip_address
      assert_equal "127.0.0.1", Addrinfo.getaddrinfo("localhost", 80, :INET, :STREAM).first.ip_address
    end
  end

  def test_an_address_that_is_a_number_is_itself
    scheduled do |scheduler|
      assert_equal ["127.0.0.1"], scheduler.address_resolve("127.0.0.1")
      assert_equal ["::1"], scheduler.address_resolve("::1")
    end
  end

  def test_a_scope_is_no_part_of_the_name
    scheduled do |scheduler|
      assert_empty scheduler.address_resolve("localhost%lo") - LOOPBACK
    end
  end

  def test_a_name_that_does_not_exist
    in_company do |scheduler|
      assert_nil scheduler.address_resolve("no-such-name.invalid")
      assert_raises(SocketError) { TCPSocket.new("no-such-name.invalid", 80) }
      assert_raises(SocketError) { Addrinfo.tcp("no-such-name.invalid", 80) }
    end
  end

  def test_many_names_at_a_time
    found = []
    scheduled { |scheduler| 50.times { Fiber.schedule { found << scheduler.address_resolve("localhost") } } }

    assert_equal 50, found.size
    assert_equal 1, found.uniq.size
  end

  def test_bad_input_is_refused
    in_company do |scheduler|
      assert_raises(TypeError) { scheduler.address_resolve(nil) }
      assert_raises(TypeError) { scheduler.address_resolve(1) }
      assert_nil scheduler.address_resolve("")
      assert_nil scheduler.address_resolve("a\0b")
      assert_nil scheduler.address_resolve("x" * 10_000)
    end
  end
end
