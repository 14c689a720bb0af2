# frozen_string_literal: true

require "support/em_tls"

# What `start_tls` takes, and what it says against it, in this order.
class EMTLSOptionsTest < Minitest::Test
  def test_nothing_has_to_be_given
    assert_nil client_takes({})
    assert_nil server_takes({})
  end

  def test_nil_and_empty_are_nothing
    nothing = { private_key_file: "", private_key: nil, cert_chain_file: "", cert: "", cipher_list: "",
                ssl_version: [] }

    assert_nil client_takes(nothing)
    assert_nil server_takes(nothing)
  end

  def test_unknown_options_are_passed_over
    assert_nil client_takes(no_such_option: 1)
  end

  def test_files_have_to_be_there_before_anything_else
    { private_key_file: "/no/key", cert_chain_file: "/no/cert" }.each do |name, path|
      error = client_takes(name => path, ssl_version: "nonsense")

      assert_instance_of EM::FileNotFoundException, error
      assert_equal "Could not find #{path} for start_tls", error.message
    end
  end

  def test_a_key_is_given_once
    error = client_takes(private_key: leaf.key_pem, private_key_file: file(leaf.key_pem))

    assert_instance_of EM::BadPrivateKeyParams, error
    assert_equal "Specifying both private_key and private_key_file not allowed", error.message
  end

  def test_a_certificate_is_given_once
    error = client_takes(cert: leaf.pem, cert_chain_file: file(leaf.pem))

    assert_instance_of EM::BadCertParams, error
    assert_equal "Specifying both cert and cert_chain_file not allowed", error.message
  end

  def test_a_key_needs_its_certificate
    error = client_takes(private_key: leaf.key_pem)

    assert_instance_of EM::BadParams, error
    assert_equal "You have specified a private key to use, but not the related cert", error.message
  end

  def test_a_certificate_without_its_key_is_passed_over
    assert_nil client_takes(cert_chain_file: file(leaf.pem))
    assert_nil server_takes(cert: leaf.pem)
  end

  def test_versions_are_known_by_name
    ["TLSv1_2", "tlsv1_3", ["TLSV1_2", :tlsv1_3], %w[sslv3 tlsv1 tlsv1_1 tlsv1_2]].each do |versions|
      assert_nil client_takes(ssl_version: versions)
    end
    error = client_takes(ssl_version: %w[tlsv1_2 SSLv99])

    assert_instance_of RuntimeError, error
    assert_equal "Unrecognized SSL/TLS Protocol: SSLv99", error.message
  end

  def test_keys_are_taken_in_every_form
    rsa = TLSCertificates.leaf("localhost", kind: :rsa)
    { leaf => [leaf.key.private_to_pem, leaf.key.to_pem], rsa => [rsa.key.private_to_pem, rsa.key.to_pem] }
      .each do |identity, keys|
        keys.each do |key|
          assert_nil server_takes(private_key: key, cert: identity.pem)
          assert_nil client_takes(private_key_file: file(key), cert_chain_file: file(identity.chain_pem))
        end
      end
  end

  def test_encrypted_keys_are_decrypted
    cipher = -> { OpenSSL::Cipher.new("aes-128-cbc") }
    [leaf.key.private_to_pem(cipher.call, "secret"), leaf.key.to_pem(cipher.call, "secret")].each do |key|
      assert_nil server_takes(private_key: key, private_key_pass: "secret", cert: leaf.pem)
      assert_instance_of EM::InvalidPrivateKey,
                         server_takes(private_key: key, private_key_pass: "wrong", cert: leaf.pem)
    end
  end

  def test_an_encrypted_key_without_its_pass_phrase_is_an_error
    key = leaf.key.private_to_pem(OpenSSL::Cipher.new("aes-128-cbc"), "secret")

    assert_instance_of EM::InvalidPrivateKey, server_takes(private_key: key, cert: leaf.pem)
  end

  def test_a_key_has_to_belong_to_its_certificate
    error = server_takes(private_key: TLSCertificates.self_signed.key_pem, cert: leaf.pem)

    assert_instance_of EM::InvalidPrivateKey, error
    assert_instance_of EM::InvalidPrivateKey, client_takes(private_key: leaf.key_pem, cert: TLSCertificates.root.pem)
  end

  def test_what_is_no_pem_is_an_error
    assert_instance_of EM::InvalidPrivateKey, client_takes(private_key: "x", cert: "y")
    assert_instance_of EM::InvalidPrivateKey, client_takes(private_key: "x", cert: leaf.pem)
  end

  def test_a_certificate_that_is_none_is_an_error
    not_of_eventmachine("passes it over")

    assert_instance_of EM::InvalidPrivateKey, client_takes(private_key: leaf.key_pem, cert: "y")
  end

  def test_curves_are_known_by_name_to_a_server
    %w[prime256v1 secp384r1].each { |curve| assert_nil server_takes(ecdh_curve: curve) }
    error = server_takes(ecdh_curve: "nonsense")

    assert_instance_of EM::InvalidPrivateKey, error
    assert_match "Unknown curve name: nonsense", error.message
    assert_nil client_takes(ecdh_curve: "nonsense")
  end

  def test_several_curves_may_be_named
    not_of_eventmachine("knows one, and not X25519")

    assert_nil server_takes(ecdh_curve: "X25519:prime256v1")
    assert_match "use X25519", server_takes(ecdh_curve: "secp521r1").message
  end

  def test_parameters_for_dh_have_to_be_there
    error = server_takes(dhparam: "/no/such")

    assert_instance_of EM::InvalidPrivateKey, error
    assert_match "dhparam", error.message
  end

  def test_they_are_not_used_which_is_said_once
    not_of_eventmachine("uses them")
    file = TLSCertificates.file("parameters")
    _, said = capture_io { 2.times { server_takes(dhparam: file) } }

    assert_operator said.scan("dhparam").size, :<=, 1
    _, said = capture_io { server_takes(dhparam: file) }

    assert_empty said
  end

  def test_a_connection_begins_tls_once
    not_of_eventmachine("aborts")
    second = nil
    handshake(client_acts: { ssl_handshake_completed: ->(me) { second = raised_by { me.start_tls } } },
              stop: -> { second })

    assert_instance_of RuntimeError, second
    assert_includes second.message, "call SetTlsParms before calling StartTls"
  end

  def test_without_tls_there_is_nothing_to_be_told
    not_of_eventmachine("aborts")
    in_the_reactor do |connection|
      %i[get_peer_cert get_cipher_bits get_cipher_name get_cipher_protocol get_sni_hostname].each do |question|
        error = raised_by { connection.public_send(question) }

        assert_equal "SSL/TLS not running on this connection", error.message
      end
      nil
    end
  end

  def test_only_protocols_that_are_not_spoken_any_more_are_an_error
    not_of_eventmachine("leaves that to OpenSSL")
    error = client_takes(ssl_version: %w[sslv3 tlsv1 tlsv1_1])

    assert_instance_of RuntimeError, error
    assert_match "allow TLSv1_2 or TLSv1_3", error.message
  end

  def test_a_list_that_leaves_no_cipher_is_an_error
    not_of_eventmachine("takes all ciphers then")
    error = client_takes(ssl_version: "tlsv1_2", cipher_list: "DHE-RSA-AES256-SHA")

    assert_instance_of RuntimeError, error
    assert_match "ECDHE-RSA-AES256-GCM-SHA384", error.message
    assert_nil client_takes(cipher_list: "DHE-RSA-AES256-SHA")
  end

  def test_a_name_that_no_server_can_have_is_an_error
    not_of_eventmachine("sends none then")

    assert_match "no name", client_takes(sni_hostname: "no name").message
  end

  def test_to_verify_needs_a_name
    not_of_eventmachine("can't verify names")

    assert_instance_of ArgumentError, client_takes(verify: true)
    assert_nil client_takes(verify: true, sni_hostname: "localhost", ca_file: file(TLSCertificates.root.pem))
  end

  def test_the_low_level_functions_do_the_same
    result = in_the_reactor do |connection|
      EM.set_tls_parms(connection.signature, "", "", "", "", "", nil, nil, "", "", "", "", 120)
      EM.start_tls(connection.signature)
      connection.get_cipher_name
    end

    assert_equal "(NONE)", result
  end

  private

  def leaf = TLSCertificates.leaf
  def file(text) = TLSCertificates.file(text)

  # What `start_tls` returns or raises on a client.
  def client_takes(options) = in_the_reactor { |connection| start(connection, options) }

  # As above, on an accepted connection.
  def server_takes(options)
    result = nil
    em do
      _, port = serve(Told, [], :server, { post_init: lambda { |connection|
        result = [start(connection, options)]
      } })
      EM.connect(HOST, port)
      stop_once { result }
    end
    result.first
  end

  def start(connection, options)
    connection.start_tls(options)
  rescue Exception => e
    e
  end

  def in_the_reactor
    result = nil
    em do
      _, port = serve(Told, [])
      result = yield EM.connect(HOST, port)
      EM.stop
    end
    result
  end
end
