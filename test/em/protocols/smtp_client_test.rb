# frozen_string_literal: true

require "support/event_machine"
require "support/protocol_recorder"
require "support/scripted_peer"

class EMSmtpClientTest < Minitest::Test
  include ProtocolRecorder

  ANSWERS = ["220-hi\r\n220 hi\r\n", "250-x\r\n250 ok\r\n", "250 s\r\n", "250 r\r\n", "354 go\r\n", "250 done\r\n",
             "221 bye\r\n"].freeze
  MAIL = { from: "a@b", to: "c@d", header: { "Subject" => "x" }, body: "one\n.two\r\n..\r\n" }.freeze

  def setup
    return unless ENV["EM_ORACLE"]

    # There all servers share their parameters, for ever.
    EM::P::SmtpServer.class_variable_set(:@@parms, { chunksize: 4000 }) # rubocop:disable Style/ClassVars
  end

  def test_a_message_is_sent
    (status, result), heard = deliver(ANSWERS, **MAIL)
    assert_equal [:succeeded, 250, ["done"], :receive_message_response],
                 [status, result.code, result.message, result.responder]
    assert_kind_of Time, result.start_time
    assert_includes 0..8, result.elapsed_time
    assert_equal ["EHLO dom\r\n", "MAIL FROM: <a@b>\r\n", "RCPT TO: <c@d>\r\n", "DATA\r\n",
                  "Subject: x\r\n\r\none\n..two\r\n...\r\n\r\n.\r\n", "QUIT\r\n"], heard
  end

  def test_several_recipients_one_of_whom_is_accepted
    answers = [*ANSWERS.first(3), "550 no\r\n", "250 yes\r\n", *ANSWERS.drop(4)]
    (status,), heard = deliver(answers, **MAIL, to: %w[c@d e@f])
    assert_equal [:succeeded, "RCPT TO: <e@f>\r\n"], [status, heard[3]]
  end

  def test_a_content_is_sent_as_it_is
    _, heard = deliver(ANSWERS, from: "a@b", to: "c@d", content: "Subject: z\r\n\r\n..body\r\n.\r\n")
    assert_equal "Subject: z\r\n\r\n..body\r\n.\r\n", heard[4]
  end

  def test_a_content_without_an_end_gets_one
    skip "EventMachine waits for ever" if ENV["EM_ORACLE"]
    ["Subject: z\r\n\r\nbody\r\n", "Subject: z\r\n\r\nbody"].each do |content|
      _, heard = deliver(ANSWERS, from: "a@b", to: "c@d", content:)
      assert_equal "Subject: z\r\n\r\nbody\r\n.\r\n", heard[4]
    end
  end

  def test_authentication
    answers = [*ANSWERS.first(2), "235 ok\r\n", *ANSWERS.drop(2)]
    [{ username: "u", password: "p" }, { username: "u", password: -> { "p" } }].each do |who|
      (status,), heard = deliver(answers, **MAIL, auth: { type: :plain, **who })
      assert_equal [:succeeded, "AUTH PLAIN #{["\0u\0p"].pack("m0")}\r\n"], [status, heard[1]]
    end
  end

  def test_another_authentication_is_refused
    (status, result), = deliver(ANSWERS, **MAIL, auth: { type: :login, username: "u", password: "p" })
    assert_equal [:failed, 900, "unsupported auth type"], [status, result.code, result.message]
  end

  def test_every_refusal_fails_and_says_goodbye
    responders = %i[receive_signon receive_ehlo_response receive_mail_from_response receive_rcpt_to_response
                    receive_data_response receive_message_response]
    responders.each_with_index do |responder, index|
      next if responder == :receive_rcpt_to_response && ENV["EM_ORACLE"] # which goes on with nobody

      (status, result), heard = deliver([*ANSWERS.first(index), "550-no\r\n550 more\r\n", "221 bye\r\n"], **MAIL)
      assert_equal [:failed, responder, 550, %w[no more]], [status, result.responder, result.code, result.message]
      assert_equal "QUIT\r\n", heard.last
    end
  end

  def test_a_connection_that_ends_too_early_fails
    (status,), = deliver(ANSWERS.first(3), **MAIL)
    assert_equal :failed, status
  end

  def test_nobody_listens
    port = TCPServer.open("127.0.0.1", 0) { |server| server.local_address.ip_port }
    result = nil
    em do
      EM::P::SmtpClient.send(host: "127.0.0.1", port:, **MAIL).errback do |told|
        result = told
        EM.stop
      end
    end
    assert_equal [nil, nil], [result.code, result.message]
  end

  def test_a_line_break_in_an_address_is_no_command
    skip "in EventMachine it is" if ENV["EM_ORACLE"]
    _, heard = deliver(ANSWERS, **MAIL, from: "a@b>\r\nRCPT TO:<x")
    assert_equal "MAIL FROM: <a@b>RCPT TO:<x>\r\n", heard[1]
  end

  def test_what_the_server_says_may_come_in_any_pieces
    data = ANSWERS.join.b
    assert_any_split_is_the_same(data, rounds: 20) { |feed| client.tap { |smtp| feed.call(smtp) }.sent }
  end

  def test_any_garbage_is_taken
    skip "EventMachine raises" if ENV["EM_ORACLE"]
    assert_takes_any_garbage([*ANSWERS, "250", "-", "\r\n", "\n"]) { client }
  end

  def test_client_and_server_of_our_own
    mails = []
    inbox = Class.new(EM::P::SmtpServer) do
      define_method(:receive_data_chunk) { |lines| mails.concat(lines) }
    end
    em do
      port = port_of(EM.start_server("127.0.0.1", 0, inbox))
      mail = EM::P::SmtpClient.send(host: "127.0.0.1", port:, domain: "dom", **MAIL)
      mail.callback { EM.stop }
      mail.errback { |result| flunk result.inspect }
    end
    assert_equal ["Subject: x", "", "one", ".two", "..", ""], mails
  end

  def test_over_tls_with_authentication
    mails = []
    inbox = Class.new(EM::P::SmtpServer) do
      define_method(:receive_plain_auth) { |user, password| mails << [user, password] }
      define_method(:receive_data_chunk) { |lines| mails.concat(lines) }
    end
    outcome = nil
    em do
      server = EM.start_server(HOST, 0, inbox) { |smtp| smtp.parms = { starttls: :required, auth: :required } }
      mail = EM::P::SmtpClient.send(host: HOST, port: port_of(server), domain: "dom", starttls: true,
                                    auth: { type: :plain, username: "u", password: "p" }, **MAIL)
      mail.callback { |result| outcome = finish(:succeeded, result) }
      mail.errback { |result| outcome = finish(:failed, result) }
    end
    assert_equal :succeeded, outcome.first, outcome.last.inspect
    assert_equal [%w[u p], "Subject: x", "", "one", ".two", "..", ""], mails
  end

  private

  # @return [Array] what came of smtp, and what the server heard
  def deliver(answers, **mail)
    outcome = nil
    script = lambda do |socket|
      heard = []
      answers.each_with_index do |answer, index|
        socket.write(answer)
        break if index == answers.size - 1

        heard << (socket.gets("\r\n") || break)
        heard.last << socket.gets("\r\n") until heard.last.end_with?("\r\n.\r\n") || !answer.start_with?("354")
      end
      heard
    end
    ScriptedPeer.open(script) do |peer|
      em do
        client = EM::P::SmtpClient.send(host: "127.0.0.1", port: peer.port, domain: "dom", **mail)
        client.callback { |result| outcome = finish(:succeeded, result) }
        client.errback { |result| outcome = finish(:failed, result) }
      end
      [outcome, peer.seen.pop]
    end
  end

  # The last answer is to be heard as well. EventMachine empties the message then.
  def finish(status, result)
    EM.add_timer(0.05) { EM.stop }
    [status, result.dup.tap { |copy| copy.message = copy.message.dup }]
  end

  def client
    record(recording(EM::P::SmtpClient)).tap do |smtp|
      smtp.args = { domain: "dom", **MAIL }
      smtp.post_init
      smtp.connection_completed
    end
  end
end
