# frozen_string_literal: true

require "support/em_tls"
require "tempfile"

# `tls_backend: :openssl`: the same connections, over Ruby's OpenSSL.
class EMTLSOpenSSLBackendTest < Minitest::Test
  OPENSSL = { tls_backend: :openssl }.freeze

  def setup
    not_of_eventmachine("has no other")
  end

  def test_both_backends_talk_to_each_other
    [[OPENSSL, {}], [{}, OPENSSL], [OPENSSL, OPENSSL]].each do |server, client|
      each_version do |version|
        back = +""
        handshake(server: server.merge(ssl_version: version), client:,
                  server_acts: { receive_data: ->(me, data) { me.send_data(data.upcase) } },
                  client_acts: { ssl_handshake_completed: ->(me) { me.send_data("hello") },
                                 receive_data: ->(_, data) { back << data } },
                  stop: -> { back == "HELLO" })

        assert_equal "HELLO", back
      end
    end
  end

  def test_files_are_encrypted_as_well
    content = Random.bytes(300_000)
    Tempfile.create("streamed", binmode: true) do |file|
      file.write(content)
      file.flush
      [OPENSSL, {}].each do |backend|
        got = +""
        handshake(server: backend, server_acts: { ssl_handshake_completed: ->(me) { me.stream_file_data(file.path) } },
                  client_acts: { receive_data: ->(_, data) { got << data } }, stop: -> { got.bytesize == 300_000 })

        assert_equal content, got
      end
    end
  end

  def test_callbacks_come_as_ever
    each_version do |version|
      handshake(client: OPENSSL.merge(ssl_version: version),
                client_acts: { ssl_handshake_completed: lambda(&:close_connection) })

      assert_equal %i[initialize post_init connection_completed ssl_handshake_completed unbind],
                   of(@log, :client)
      assert_equal [nil], noted(:client, :unbind)
    end
  end

  def test_ciphers_that_rustls_has_not_are_spoken
    old = { ssl_version: "TLSv1_2", cipher_list: "AES256-GCM-SHA384" }
    names = []
    handshake(server: OPENSSL.merge(old), client: OPENSSL.merge(old),
              client_acts: { ssl_handshake_completed: ->(me) { names << [me.get_cipher_name, me.get_cipher_bits] } },
              server_acts: { ssl_handshake_completed: lambda { |me|
                names << [me.get_cipher_name, me.get_cipher_protocol]
              } },
              stop: -> { names.size == 2 })

    assert_includes names, ["AES256-GCM-SHA384", 256]
    assert_includes names, ["AES256-GCM-SHA384", "TLSv1.2"]
  end

  def test_everything_is_sent_before_it_closes
    [[OPENSSL, {}], [{}, OPENSSL]].each do |server, client|
      handshake(server:, client:, client_acts: { ssl_handshake_completed: lambda { |me|
        me.send_data("x" * 500_000)
        me.close_connection_after_writing
      } })

      assert_equal 500_000, noted(:server, :receive_data).sum(&:bytesize)
      assert_equal [[nil], [nil]], [noted(:client, :unbind), noted(:server, :unbind)]
    end
  end

  def test_certificates_come_in_the_same_order
    leaf = TLSCertificates.leaf
    handshake(server: leaf.options, client: OPENSSL.merge(verify_peer: true), stop: completed)

    assert_equal [leaf.issuers.first.pem, leaf.pem], noted(:client, :ssl_verify_peer)
  end

  def test_a_refusal_ends_the_connection
    why = nil
    handshake(client: OPENSSL.merge(verify_peer: true),
              client_acts: { ssl_verify_peer: ->(*) { false }, unbind: ->(me, *) { why = me.tls_error } })

    assert_equal [Errno::EPROTO], noted(:client, :unbind)
    assert_match(/certificate verify failed/, why)
  end

  def test_an_exception_in_verifying_leaves_the_reactor
    error = raised_by do
      handshake(client: OPENSSL.merge(verify_peer: true), client_acts: { ssl_verify_peer: lambda { |*|
        raise KeyError, "no"
      } })
    end

    assert_instance_of KeyError, error
    assert_equal 1, of(@log, :client).count(:unbind)
  end

  def test_the_error_handler_hears_of_what_callbacks_raise
    errors = []
    EM.error_handler { |error| errors << error.message }
    handshake(client: OPENSSL, client_acts: { ssl_handshake_completed: ->(*) { raise "completing" },
                                              receive_data: ->(*) { raise "receiving" } },
              server_acts: { ssl_handshake_completed: ->(me) { me.send_data("hello") } },
              stop: -> { errors.size == 2 })

    assert_equal %w[completing receiving], errors
  end

  def test_chain_and_name_are_verified
    verify = OPENSSL.merge(ca_file: TLSCertificates.file(TLSCertificates.root.pem))
    handshake(server: TLSCertificates.leaf.options, client: verify.merge(verify: "localhost"), stop: completed)

    assert_includes of(@log, :client), :ssl_handshake_completed
    handshake(server: TLSCertificates.leaf.options, client: verify.merge(verify: "elsewhere.example"))

    assert_equal [Errno::EPROTO], noted(:client, :unbind)
  end

  def test_names_and_protocols_are_told
    told = []
    ask = ->(me) { told << [me.get_sni_hostname, me.alpn_protocol] }
    names = { alpn_protocols: ["h2"], sni_hostname: "a.example" }
    handshake(server: OPENSSL.merge(names), client: OPENSSL.merge(names), client_acts: { ssl_handshake_completed: ask },
              server_acts: { ssl_handshake_completed: ask }, stop: -> { told.size == 2 })

    assert_equal [["a.example", "h2"]] * 2, told
  end

  def test_a_stop_unbinds_it_once
    handshake(server: OPENSSL, client: OPENSSL, stop: completed)

    assert_equal([1, 1], %i[client server].map { |name| of(@log, name).count(:unbind) })
  end

  def test_what_it_can_t_use_is_an_error
    error = nil
    handshake(client: {}, client_acts: { connection_completed: lambda { |me|
      error = raised_by { me.dup.start_tls(OPENSSL.merge(cipher_list: "nonsense")) }
    } }, stop: -> { error })

    assert_instance_of EM::InvalidPrivateKey, error
  end
end
