# frozen_string_literal: true

require "support/em_tls"

# Who is trusted.
class EMTLSVerifyingTest < Minitest::Test
  def test_nobody_is_asked_unless_that_is_wanted
    handshake(server: certs.self_signed.options, stop: completed)

    refute_includes of(@log, :client), :ssl_verify_peer
  end

  def test_certificates_come_issuer_first_and_the_leaf_last
    leaf = certs.leaf
    root, intermediate = [leaf.issuers.last, leaf.issuers.first].map(&:pem)
    { leaf.full_chain_pem => [root, root, intermediate, leaf.pem], leaf.chain_pem => [intermediate, leaf.pem],
      leaf.pem => [leaf.pem] * 3 }.each do |chain, order|
      each_version do |version|
        server = { private_key: leaf.key_pem, cert_chain_file: certs.file(chain) }
        handshake(server:, client: { verify_peer: true, ssl_version: version }, stop: completed)

        assert_equal order, noted(:client, :ssl_verify_peer), "#{version}, #{order.size}"
      end
    end
  end

  def test_a_self_signed_one_comes_twice
    handshake(server: certs.self_signed.options, client: { verify_peer: true }, stop: completed)

    assert_equal [certs.self_signed.pem] * 2, noted(:client, :ssl_verify_peer)
  end

  def test_a_pem_is_a_string_of_its_own
    handshake(server: certs.self_signed.options, client: { verify_peer: true }, stop: completed)
    pem = noted(:client, :ssl_verify_peer).first

    refute_predicate pem, :frozen?
    assert_equal Encoding::BINARY, pem.encoding
    assert_equal certs.self_signed.pem, OpenSSL::X509::Certificate.new(pem).to_pem
  end

  def test_only_one_certificate_of_a_string_is_sent
    leaf = certs.leaf
    handshake(server: { private_key: leaf.key_pem, cert: leaf.full_chain_pem }, client: { verify_peer: true },
              stop: completed)

    assert_equal [leaf.pem] * 3, noted(:client, :ssl_verify_peer)
  end

  def test_a_refusal_ends_the_connection
    each_version do |version|
      [false, nil].each do |answer|
        handshake(client: { verify_peer: true, ssl_version: version }, client_acts: { ssl_verify_peer: lambda { |*|
          answer
        } })

        assert_equal [Errno::EPROTO], noted(:client, :unbind)
        assert_equal 1, of(@log, :client).count(:ssl_verify_peer)
        refute_includes of(@log, :client), :ssl_handshake_completed
      end
    end
  end

  def test_a_refusal_of_any_of_them_does
    first = true
    refuse_leaf = ->(*) { first.tap { first = false } }
    handshake(server: certs.leaf.options, client: { verify_peer: true }, client_acts: { ssl_verify_peer: refuse_leaf })

    assert_equal [Errno::EPROTO], noted(:client, :unbind)
    assert_equal 2, of(@log, :client).count(:ssl_verify_peer)
  end

  def test_the_default_answer_is_no
    handshake(client: { verify_peer: true }, client_acts: { ssl_verify_peer: ->(me, pem) { default_answer(me, pem) } })

    assert_equal [Errno::EPROTO], noted(:client, :unbind)
  end

  def test_a_server_asks_for_its_clients_certificate
    each_version do |version|
      handshake(server: { verify_peer: true }, client: certs.leaf.options.merge(ssl_version: version), stop: completed)

      assert_equal [certs.intermediate.pem, certs.leaf.pem], noted(:server, :ssl_verify_peer)
    end
  end

  def test_a_server_may_refuse_its_client
    each_version do |version|
      handshake(server: { verify_peer: true }, client: certs.leaf.options.merge(ssl_version: version),
                server_acts: { ssl_verify_peer: ->(*) { false } })

      assert_equal [Errno::EPROTO], noted(:server, :unbind)
      refute_includes of(@log, :server), :ssl_handshake_completed
    end
  end

  def test_both_may_ask
    both = { verify_peer: true, fail_if_no_peer_cert: true }
    handshake(server: certs.leaf.options.merge(both), client: certs.self_signed.options.merge(both), stop: completed)

    assert_equal certs.leaf.pem, noted(:client, :ssl_verify_peer).last
    assert_equal certs.self_signed.pem, noted(:server, :ssl_verify_peer).last
  end

  def test_a_client_without_a_certificate_is_let_in
    handshake(server: { verify_peer: true }, stop: completed)

    refute_includes of(@log, :server), :ssl_verify_peer
  end

  def test_unless_one_is_wanted
    each_version do |version|
      handshake(server: { verify_peer: true, fail_if_no_peer_cert: true }, client: { ssl_version: version })

      assert_equal [Errno::EPROTO], noted(:server, :unbind)
      refute_includes of(@log, :server), :ssl_handshake_completed
    end
  end

  def test_which_means_nothing_without_verifying
    handshake(server: { fail_if_no_peer_cert: true }, stop: completed)

    assert_includes of(@log, :server), :ssl_handshake_completed
  end

  def test_certificates_come_at_every_connection
    2.times do
      handshake(client: { verify_peer: true, sni_hostname: "localhost" }, stop: completed)

      assert_includes of(@log, :client), :ssl_verify_peer
    end
  end

  def test_roots_that_are_given_are_trusted
    only_here
    handshake(server: certs.leaf.options, client: verify, stop: completed)

    assert_includes of(@log, :client), :ssl_handshake_completed
  end

  def test_a_name_may_be_given_for_it_and_an_address_too
    only_here
    ["localhost", "127.0.0.1"].each do |name|
      handshake(server: certs.leaf.options, client: { verify: name, ca_file: certs.file(certs.root.pem) },
                stop: completed)

      assert_includes of(@log, :client), :ssl_handshake_completed
    end
  end

  def test_the_name_has_to_be_in_the_certificate
    assert_refused(/not valid for name/i, certs.leaf, verify.merge(sni_hostname: "elsewhere.example"))
  end

  def test_it_must_not_have_expired
    expired = certs.leaf("localhost", to: Time.now - 60)

    assert_refused(/expired/i, expired, verify)
  end

  def test_it_must_be_valid_by_now
    assert_refused(/not valid yet/i, certs.leaf("localhost", from: Time.now + 600), verify)
  end

  def test_a_stranger_is_refused
    assert_refused(/UnknownIssuer/, certs.self_signed, verify)
    assert_refused(/UnknownIssuer/, certs.leaf, verify.merge(ca_file: certs.file(certs.other_root.pem)))
  end

  def test_this_systems_roots_don_t_know_ours
    assert_refused(/UnknownIssuer/, certs.leaf, { verify: true, sni_hostname: "localhost" })
  end

  def test_a_server_verifies_its_clients_too
    only_here
    roots = { verify: true, ca_file: certs.file(certs.root.pem), fail_if_no_peer_cert: true }
    handshake(server: roots, client: certs.leaf.options, stop: completed)

    assert_includes of(@log, :server), :ssl_handshake_completed
    handshake(server: roots, client: certs.self_signed.options)

    assert_equal [Errno::EPROTO], noted(:server, :unbind)
  end

  def test_who_verifies_like_this_may_be_asked_as_well
    only_here
    handshake(server: certs.leaf.options, client: verify.merge(verify_peer: true), stop: completed)

    assert_equal certs.leaf.pem, noted(:client, :ssl_verify_peer).last
  end

  private

  def certs = TLSCertificates

  def verify = { verify: true, sni_hostname: "localhost", ca_file: certs.file(certs.root.pem) }

  def only_here = not_of_eventmachine("verifies nothing")

  def default_answer(connection, pem)
    EM::Connection.instance_method(:ssl_verify_peer).bind_call(connection, pem)
  end

  def assert_refused(why, identity, options)
    only_here
    error = nil
    handshake(server: identity.options, client: options, client_acts: { unbind: ->(me, *) { error = me.tls_error } })

    assert_equal [Errno::EPROTO], noted(:client, :unbind)
    refute_includes of(@log, :client), :ssl_handshake_completed
    assert_match why, error
  end
end
