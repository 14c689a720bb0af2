# frozen_string_literal: true

require "support/event_machine"

# Bytes that are relayed without being seen.
class EMProxyTest < Minitest::Test
  # Notes what relaying tells.
  class Relay < Told
    def proxy_target_unbound = note(:proxy_target_unbound)
    def proxy_completed = note(:proxy_completed)
  end

  def setup
    @log = []
  end

  def test_bytes_go_to_the_target_and_not_to_receive_data
    received = +""
    proxied = nil
    chain(->(relay, target) { EM.enable_proxy(proxied = relay, target) },
          lambda { |_, data|
            received << data
            @log << proxied.get_proxied_bytes and EM.stop if received.bytesize == 100_000
          }) { |client| client.write("x" * 100_000) }

    assert_equal "x" * 100_000, received
    assert_includes @log, 100_000
    refute_includes of(@log, :relay), :receive_data
  end

  def test_proxy_incoming_to_is_the_same
    chain(->(relay, target) { relay.proxy_incoming_to(target) }, ->(_, data) { EM.stop if @log << data }) do |client|
      client.write("hello")
    end

    assert_includes @log, "hello"
  end

  def test_with_a_limit_of_unsent_bytes_everything_arrives_as_well
    received = 0
    chain(->(relay, target) { relay.proxy_incoming_to(target, 2048) },
          lambda { |_, data|
            if (received += data.bytesize) == 3_000_000
              EM.stop
            end
          }) { |client| client.write("x" * 3_000_000) }

    assert_equal 3_000_000, received
  end

  def test_a_stopped_relay_receives_again
    chain(lambda { |relay, target|
      relay.proxy_incoming_to(target)
      EM.add_timer(0.05) { relay.stop_proxying }
    }, ->(_, data) { @log << data }, receive_data: ->(*) { EM.stop }) do |client|
      client.write("to the target")
      sleep 0.1
      client.write("to the relay")
    end

    assert_includes @log, "to the target"
    assert_includes @log, [:relay, :receive_data, "to the relay"]
  end

  def test_after_as_many_bytes_as_were_wanted_the_rest_is_received
    received = +""
    chain(->(relay, target) { EM.enable_proxy(relay, target, 0, 5) }, ->(_, data) { received << data },
          receive_data: ->(*) { EM.add_timer(0.02) { EM.stop } }) { |client| client.write("hello, world") }

    assert_equal "hello", received
    assert_equal [%i[relay proxy_completed], [:relay, :receive_data, ", world"]], @log.last(3).first(2)
  end

  def test_the_end_of_the_target_is_told_after_its_unbind
    em do
      relay = EM.attach(UNIXSocket.pair.first, Relay, @log, :relay, proxy_target_unbound: ->(_) { EM.stop })
      target = EM.attach(UNIXSocket.pair.first, Told, @log, :target)
      EM.enable_proxy(relay, target)
      target.close_connection
    end
    names = @log.map { |who, event,| [who, event] }

    assert_operator names.index(%i[target unbind]), :<, names.index(%i[relay proxy_target_unbound])
  end

  def test_the_end_of_the_relay_leaves_the_target_alone
    em do
      relay = EM.attach(UNIXSocket.pair.first, Relay, @log, :relay)
      target = EM.attach(UNIXSocket.pair.first, Told, @log, :target)
      EM.enable_proxy(relay, target)
      relay.close_connection
      EM.add_timer(0.02) do
        @log << target.error?
        EM.stop
      end
    end

    assert_includes @log, false
  end

  def test_a_target_that_has_ended_is_an_error
    em do
      relay = EM.attach(UNIXSocket.pair.first)
      target = EM.attach(UNIXSocket.pair.first)
      target.close_connection
      EM.add_timer(0.02) do
        @log << assert_raises(EM::ConnectionError) { EM.enable_proxy(relay, target) }.message
        EM.stop
      end
    end

    assert_match(/invalid descriptor/, @log.first)
  end

  def test_a_target_has_one_source
    em do
      first, second, target = Array.new(3) { EM.attach(UNIXSocket.pair.first) }
      EM.enable_proxy(first, target)
      @log << assert_raises(EM::ConnectionError) { EM.enable_proxy(second, target) }.message
      EM.stop
    end

    assert_match(/busy target/, @log.first)
  end

  def test_a_new_target_can_be_given
    em do
      ours, theirs = UNIXSocket.pair
      relay = EM.attach(ours)
      ends = Array.new(2) { UNIXSocket.pair }
      targets = ends.map { |mine, _| EM.attach(mine) }
      EM.enable_proxy(relay, targets[0])
      theirs.write("first")
      EM.add_timer(0.05) do
        EM.disable_proxy(relay)
        EM.enable_proxy(relay, targets[1])
        theirs.write("second")
        EM.add_timer(0.05) do
          @log.concat(ends.map { |_, other| other.read_nonblock(100) })
          EM.stop
        end
      end
    end

    assert_equal %w[first second], @log
  end

  private

  # A client's connection and what it is relayed to.
  #
  # @param begin_relay [#call] given both
  # @param receive [#call] what the end of it all does
  # @yieldparam client [TCPSocket] in a thread
  def chain(begin_relay, receive, acts = {})
    em do
      _, last = serve(Told, [], :last, receive_data: receive)
      acts[:post_init] = ->(relay) { begin_relay.call(relay, EM.connect(HOST, last)) }
      _, first = serve(Relay, @log, :relay, acts)
      @client = TCPSocket.new(HOST, first)
      @writing = Thread.new { yield @client }
    end
  ensure
    @writing&.join
    @client&.close
  end
end
