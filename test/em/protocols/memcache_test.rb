# frozen_string_literal: true

require "support/event_machine"
require "support/protocol_recorder"
require "support/scripted_peer"

require "support/memcached_peer"

class EMMemcacheTest < Minitest::Test
  include ProtocolRecorder

  def test_values_are_stored_found_and_deleted
    log = []
    talk do |cache|
      cache.set("a", "é") { |stored| log << [:set, stored] }
      cache.set(:b, 12)
      cache.get(:a, "nothing", :b) { |*values| log << values }
      cache.get_hash(:b, "c") { |values| log << values }
      cache.delete(:a) { |deleted| log << [:delete, deleted] }
      cache.del(:a) { |deleted| log << [:delete, deleted] }
      cache.get(:a) do |value|
        log << value
        EM.stop
      end
    end
    assert_equal [[:set, true], ["é".b, nil, "12"], { b: "12", "c" => nil }, [:delete, true], [:delete, false], nil],
                 log
  end

  def test_a_large_value_is_found_again
    found = nil
    value = Random.bytes(900_000)
    talk do |cache|
      cache.set(:large, value)
      cache.get(:large) do |data|
        found = data
        EM.stop
      end
    end
    assert_equal value, found
  end

  def test_a_key_can_not_break_a_command
    skip "EventMachine sends it as it is" if ENV["EM_ORACLE"]
    commands = talk do |cache|
      cache.set("a b", "x")
      cache.delete("c\r\nd")
      cache.get("a b\0") { EM.stop }
    end
    assert_equal ["set a_b 0 0 1", "delete c__d 0", "get a_b_"], commands
  end

  def test_a_get_without_a_block_is_refused
    cache = connected
    assert_raises(ArgumentError) { cache.get(:a) }
    assert_raises(ArgumentError) { cache.get_hash(:a) }
  end

  def test_what_memcached_would_not_do_is_told_as_nothing_found
    skip "EventMachine tells nobody, and prints" if ENV["EM_ORACLE"]
    log = []
    talk do |cache|
      cache.set(:a, "x" * 2_000_000) { |stored| log << stored }
      cache.set(:b, "x" * 2_000_000)
      cache.set(:c, "1")
      cache.get(:c) do |value|
        log << value
        EM.stop
      end
    end
    assert_equal [false, "1"], log
  end

  def test_a_lost_connection_is_made_again_and_what_was_asked_is_answered
    skip "EventMachine never answers" if ENV["EM_ORACLE"]
    log = []
    MemcachedPeer.open do |peer|
      em do
        cache = EM::P::Memcache.connect("127.0.0.1", peer.port)
        cache.set(:a, 1) do
          # A command that this peer doesn't answer in time.
          cache.instance_variable_get(:@pending).push([:get, ->(value) { log << value }, ["a"]])
          peer.hang_up
        end
        EM.add_timer(0.3) do
          cache.get(:a) do |value|
            log << value
            EM.stop
          end
        end
      end
    end
    assert_equal [nil, "1"], log
  end

  def test_there_is_no_memcached
    port = TCPServer.open("127.0.0.1", 0) { |server| server.local_address.ip_port }
    error = assert_raises(RuntimeError) { em { EM::P::Memcache.connect("127.0.0.1", port) } }
    assert_equal "Unable to connect to memcached server", error.message
  end

  def test_what_is_no_memcached_has_its_connection_closed
    skip "EventMachine prints it" if ENV["EM_ORACLE"]
    ["foo\r\n", "VALUE a\r\n", "VALUE a 0 3\r\nabcdef\r\n", "STORED\r\n", "VALUE a 0 9999999999\r\n"].each do |garbage|
      cache = connected
      cache.get(:a) { nil }
      cache.receive_data(garbage)
      assert_equal [[:close]], cache.log, garbage
    end
  end

  def test_an_endless_line_closes_the_connection
    skip "EventMachine has no limit" if ENV["EM_ORACLE"]
    cache = connected
    cache.max_line_length = 10
    3.times { cache.receive_data("123456") }
    assert_equal [[:close]], cache.log
  end

  def test_another_command_may_be_added
    versions = []
    cache = connected do
      define_method(:process_cmd) { |line| line.start_with?("VERSION") ? versions << line.chomp : super(line) }
    end
    cache.receive_data("VERSION 1.6\r\n")
    assert_equal ["VERSION 1.6"], versions
  end

  def test_any_split_gives_the_same_calls
    data = "STORED\r\nVALUE a 0 5\r\na\r\nbc\r\nVALUE b 1 0 77\r\n\r\nEND\r\nDELETED\r\nEND\r\n".b
    assert_any_split_is_the_same(data) do |feed|
      log = []
      cache = connected
      cache.set(:x, 1) { |*values| log << values }
      cache.get(:a, :b, :c) { |*values| log << values }
      cache.delete(:x) { |*values| log << values }
      cache.get(:a) { |*values| log << values }
      feed.call(cache)
      log
    end
  end

  def test_any_garbage_is_taken
    skip "EventMachine prints it" if ENV["EM_ORACLE"]
    assert_takes_any_garbage(["VALUE a 0 3\r\n", "abc\r\n", "END\r\n", "STORED\r\n", "ERROR\r\n", "\r\n",
                              "DELETED\r\n"]) do
      connected.tap do |cache|
        3.times { cache.get(:a) { nil } }
        cache.set(:a, 1)
      end
    end
  end

  private

  # @return [Array<String>] the commands that came
  def talk
    MemcachedPeer.open do |peer|
      em { yield EM::P::Memcache.connect("127.0.0.1", peer.port) }
      peer.commands
    end
  end

  def connected(&)
    klass = recording(EM::P::Memcache, &)
    klass.class_eval { public :initialize }
    record(klass, "localhost").tap(&:connection_completed)
  end
end
