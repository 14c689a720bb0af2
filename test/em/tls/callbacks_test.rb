# frozen_string_literal: true

require "support/em_tls"

# What is called when.
class EMTLSCallbacksTest < Minitest::Test
  def test_a_client_completes_after_its_connection
    each_version do |version|
      handshake(client: { ssl_version: version }, stop: completed)

      assert_equal %i[initialize post_init connection_completed ssl_handshake_completed],
                   of(@log, :client).first(4)
      assert_equal %i[initialize post_init ssl_handshake_completed], of(@log, :server).first(3)
    end
  end

  def test_the_server_completes_first_unless_it_is_the_newest_tls
    # Twice: two that know each other keep to it.
    { "TLSv1_2" => %i[server client], "TLSv1_3" => %i[client server] }.to_a.*(2).each do |version, order|
      handshake(client: { ssl_version: version }, stop: completed)

      assert_equal(order, @log.filter_map { |who, event,| who if event == :ssl_handshake_completed })
    end
  end

  def test_what_an_exception_in_verifying_says_leaves_the_reactor
    each_version do |version|
      error = raised_by do
        handshake(client: { verify_peer: true, ssl_version: version },
                  client_acts: { ssl_verify_peer: ->(*) { raise KeyError, "verifying" } })
      end

      assert_instance_of KeyError, error
      refute_includes of(@log, :client), :ssl_handshake_completed
      assert_equal 1, of(@log, :client).count(:ssl_verify_peer)
    end
  end

  def test_an_exception_in_verifying_goes_to_the_error_handler_and_ends_the_connection
    not_of_eventmachine("goes on with a session that it has jumped out of")
    errors = []
    EM.error_handler { |error| errors << error.message }
    handshake(client: { verify_peer: true }, client_acts: { ssl_verify_peer: ->(*) { raise "verifying" } })

    assert_equal ["verifying"], errors
    assert_equal [Errno::EPROTO], noted(:client, :unbind)
  end

  def test_an_exception_in_completing_leaves_the_reactor
    %i[client_acts server_acts].each do |side|
      error = raised_by { handshake(side => { ssl_handshake_completed: ->(*) { raise KeyError, "completing" } }) }

      assert_instance_of KeyError, error
    end
  end

  def test_a_connection_may_be_closed_while_it_verifies
    handshake(client: { verify_peer: true, ssl_version: "TLSv1_2" },
              client_acts: { ssl_verify_peer: ->(me, _) { me.close_connection || true } })

    assert_equal [nil], noted(:client, :unbind)
    refute_includes of(@log, :client), :ssl_handshake_completed
  end

  def test_a_connection_may_be_closed_when_it_completes
    handshake(client_acts: { ssl_handshake_completed: lambda(&:close_connection) })

    assert_equal [nil], noted(:client, :unbind)
  end

  def test_verifying_may_suspend_and_others_go_on
    not_of_eventmachine("can't")
    other = false
    EM.next_tick { EM.add_timer(0.01) { other = true } }
    handshake(client: { verify_peer: true },
              client_acts: { ssl_verify_peer: ->(*) { other || sleep(0.05) } },
              stop: completed)

    assert other
    assert_operator of(@log, :client).index(:ssl_handshake_completed), :>, of(@log, :client).rindex(:ssl_verify_peer)
  end

  def test_what_is_sent_while_verifying_arrives
    received = +""
    handshake(client: { verify_peer: true },
              client_acts: { ssl_verify_peer: ->(me, _) { me.send_data("x") } },
              server_acts: { receive_data: ->(_, data) { received << data } },
              stop: -> { received.size >= 2 })

    assert_match(/\Ax+\z/, received)
  end

  def test_many_may_verify_at_once
    not_of_eventmachine("can't")
    log = []
    acts = { ssl_verify_peer: ->(*) { sleep(rand * 0.02) || true } }
    em do
      _, port = serve(Secured, log, :server, {})
      20.times { EM.connect(HOST, port, Secured, log, :client, { verify_peer: true }, acts) }
      stop_once { log.count(%i[client ssl_handshake_completed]) == 20 }
    end

    assert_equal(40, log.count { |_, event,| event == :ssl_verify_peer })
  end

  def test_the_reactor_may_stop_while_one_verifies
    not_of_eventmachine("can't")
    handshake(client: { verify_peer: true },
              client_acts: { ssl_verify_peer: ->(*) { EM.stop || sleep(30) } },
              stop: -> { false })

    assert_includes of(@log, :client), :unbind
  end
end
