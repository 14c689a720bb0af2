# frozen_string_literal: true

require "support/em_tls"

# What both sides are told about their session, and each other.
class EMTLSNamesTest < Minitest::Test
  QUESTIONS = %i[get_cipher_name get_cipher_bits get_cipher_protocol].freeze

  def test_tls_1_3_is_preferred_with_its_best_cipher
    assert_equal [["TLS_AES_256_GCM_SHA384", 256, "TLSv1.3"]] * 2, told(QUESTIONS)
  end

  def test_ciphers_go_by_openssls_names
    rsa = TLSCertificates.leaf("localhost", kind: :rsa)
    { "ECDHE-RSA-AES128-GCM-SHA256" => [128, rsa], "ECDHE-RSA-AES256-GCM-SHA384" => [256, rsa],
      "ECDHE-RSA-CHACHA20-POLY1305" => [256, rsa], "ECDHE-ECDSA-AES128-GCM-SHA256" => [128, TLSCertificates.leaf],
      "ECDHE-ECDSA-AES256-GCM-SHA384" => [256, TLSCertificates.leaf] }.each do |cipher, (bits, identity)|
      answers = told(QUESTIONS, server: identity.options, client: { cipher_list: cipher, ssl_version: "TLSv1_2" })

      assert_equal [[cipher, bits, "TLSv1.2"]] * 2, answers
    end
  end

  def test_a_server_without_a_certificate_serves_rsa_if_nothing_else_is_allowed
    list = { cipher_list: "ECDHE-RSA-AES128-GCM-SHA256", ssl_version: "TLSv1_2" }

    assert_equal "ECDHE-RSA-AES128-GCM-SHA256", told(QUESTIONS, server: list, client: list).dig(0, 0)
  end

  def test_before_the_handshake_there_is_nothing_to_tell
    answers = nil
    handshake(client_acts: { connection_completed: lambda { |me|
      answers = [:get_peer_cert, :get_sni_hostname, *QUESTIONS].map { |question| me.public_send(question) }
    } }, stop: -> { answers })

    assert_equal [nil, nil, "(NONE)", nil, "(NONE)"], answers
  end

  def test_in_unbind_there_is_nothing_any_more
    answers = nil
    handshake(client_acts: { ssl_handshake_completed: lambda(&:close_connection),
                             unbind: lambda { |me, *|
                               answers = [:get_peer_cert, *QUESTIONS].map do |one|
                                 me.public_send(one)
                               end
                             } })

    assert_equal [nil] * 4, answers
  end

  def test_the_peers_certificate_is_a_pem_like_rubys
    each_version do |version|
      answers = told([:get_peer_cert], server: TLSCertificates.leaf.options, client: { ssl_version: version })

      assert_equal [[TLSCertificates.leaf.pem], [nil]], answers
    end
  end

  def test_a_server_knows_its_clients_certificate_if_it_has_asked_for_it
    answers = told([:get_peer_cert], server: { verify_peer: true }, client: TLSCertificates.leaf.options)

    assert_equal [TLSCertificates.leaf.pem], answers.last
  end

  def test_both_know_the_name_that_the_server_was_asked_for
    assert_equal [["a.example"]] * 2, told([:get_sni_hostname], client: { sni_hostname: "a.example" })
    assert_equal [[nil], [nil]], told([:get_sni_hostname])
  end

  def test_protocols_above_are_agreed_on
    not_of_eventmachine("has no ALPN")
    agreed = lambda { |server, client|
      told([:alpn_protocol], server: { alpn_protocols: server }, client: { alpn_protocols: client })
    }

    assert_equal [["h2"], ["h2"]], agreed.call(["h2", "http/1.1"], ["http/1.1", "h2"])
    assert_equal [[nil], [nil]], agreed.call([], ["h2"])
  end

  def test_without_a_common_one_the_handshake_fails
    not_of_eventmachine("has no ALPN")
    handshake(server: { alpn_protocols: ["h2"] }, client: { alpn_protocols: ["http/1.1"] })

    assert_equal [Errno::EPROTO], noted(:server, :unbind)
  end

  def test_tls_error_says_why
    not_of_eventmachine("prints it")
    why = nil
    handshake(client: { ssl_version: "TLSv1_3" }, server: { ssl_version: "TLSv1_2" },
              server_acts: { unbind: ->(me, *) { why = me.tls_error } })

    assert_match(/tls12/i, why)
  end

  def test_without_an_error_it_is_nil
    not_of_eventmachine("has none")
    errors = []
    tell = { ssl_handshake_completed: ->(me) { (errors << me.tls_error) && me.close_connection },
             unbind: ->(me, *) { errors << me.tls_error } }
    handshake(client_acts: tell)

    assert_equal [nil, nil], errors
  end

  private

  # What client and server are told when both have completed.
  def told(questions, **)
    answers = {}
    note = lambda do |name|
      { ssl_handshake_completed: ->(me) { answers[name] = questions.map { |question| me.public_send(question) } } }
    end
    handshake(client_acts: note.call(:client), server_acts: note.call(:server), stop: -> { answers.size == 2 }, **)
    answers.values_at(:client, :server)
  end
end
