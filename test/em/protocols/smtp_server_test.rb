# frozen_string_literal: true

require "support/event_machine"
require "support/protocol_recorder"
require "support/scripted_peer"

begin
  require "net/smtp"
  require "openssl"
rescue LoadError
  # A bundled gem since Ruby 3.1.
end

class EMSmtpServerTest < Minitest::Test
  include ProtocolRecorder

  HOOKS = %i[connection_ended receive_data_chunk receive_data_command receive_ehlo_domain receive_message
             receive_plain_auth receive_recipient receive_reset receive_sender receive_transaction].freeze
  EHLO = "250-Ok EventMachine SMTP Server\r\n250-NO-SOLICITING\r\n250 SIZE 20000000\r\n"
  DEFAULTS = { chunksize: 4000, verbose: false }.freeze
  PLAIN = ["\0u\0p"].pack("m0")
  DIALOGUE = "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"

  def setup
    @output = $stdout
    # EventMachine prints the size of every message.
    $stdout = StringIO.new if ENV["EM_ORACLE"]
    # There all servers share their parameters, for ever.
    EM::P::SmtpServer.class_variable_set(:@@parms, DEFAULTS.dup) if ENV["EM_ORACLE"] # rubocop:disable Style/ClassVars
  end

  def teardown
    $stdout = @output
  end

  def test_a_message
    server = served("EHLO foo.com\r\n", "MAIL FROM:<a@b>\r\n", "RCPT TO:<c@d>\r\n", "rcpt to: <e@f>\r\n", "DATA\r\n",
                    "Subject: x\r\n\r\nbody\r\n..dot\r\n.\r\n", "QUIT\r\n", &:unbind)
    assert_equal "#{EHLO}250 Ok\r\n250 Ok\r\n250 Ok\r\n354 Send it\r\n250 Message accepted\r\n221 Ok\r\n", server.sent
    assert_equal [[:receive_ehlo_domain, "foo.com"], [:receive_transaction], [:receive_sender, "<a@b>"],
                  [:receive_recipient, "<c@d>"], [:receive_recipient, "<e@f>"], [:receive_data_command],
                  [:receive_data_chunk, ["Subject: x", "", "body", ".dot"]], [:receive_message], [:receive_transaction],
                  [:close], [:connection_ended]], server.log
  end

  def test_small_commands
    server = served("HELO a\r\nNOOP\r\nRSET\r\nHELP\r\nVRFY x\r\nEXPN y\r\nFOO\r\n\r\nSTARTTLS\r\n")
    assert_equal ["250 Ok EventMachine SMTP Server", "250 Ok", "250 Ok", "250 Ok, but unimplemented",
                  "502 Command not implemented", "502 Command not implemented", *["500 Unknown command"] * 3],
                 server.sent.split("\r\n")
    assert_includes server.log, [:receive_reset]
  end

  def test_the_order_of_commands
    server = served("RCPT TO:<c@d>\r\nDATA\r\nMAIL FROM:<a@b>\r\nDATA\r\nMAIL FROM:<z@b>\r\nRSET\r\nRCPT TO:<c@d>\r\n")
    assert_equal ["503 MAIL is required before RCPT", "503 Operation sequence error", "250 Ok",
                  "503 Operation sequence error", "503 MAIL already given", "250 Ok",
                  "503 MAIL is required before RCPT"],
                 server.sent.split("\r\n")
  end

  def test_what_a_callback_refuses
    { receive_ehlo_domain: "550 Requested action not taken", receive_sender: "550 sender is unacceptable",
      receive_recipient: "550 recipient is unacceptable", receive_data_command: "550 Operation failed",
      receive_message: "550 Message rejected" }.each do |hook, answer|
      server = served(DIALOGUE, ".\r\n", verdicts: { hook => false })
      assert_includes server.sent.split("\r\n"), answer
    end
  end

  def test_what_a_deferrable_decides
    { receive_recipient: ["250 Ok", "550 recipient is unacceptable"],
      receive_data_command: ["354 Send it", "550 Operation failed"],
      receive_message: ["250 Message accepted", "550 Message rejected"] }.each do |hook, (accepted, refused)|
      [[:succeed, accepted], [:fail, refused]].each do |outcome, answer|
        deferrable = EM::DefaultDeferrable.new
        lines = DIALOGUE.lines.first({ receive_recipient: 3, receive_data_command: 4 }.fetch(hook, 4))
        lines << ".\r\n" if hook == :receive_message
        server = served(*lines, verdicts: { hook => deferrable })
        before = server.sent.dup
        deferrable.public_send(outcome)
        assert_equal "#{answer}\r\n", server.sent.delete_prefix(before), hook
      end
    end
  end

  def test_what_comes_before_a_deferrable_has_decided_waits
    skip "EventMachine takes it at once" if ENV["EM_ORACLE"]
    deferrable = EM::DefaultDeferrable.new
    server = served(DIALOGUE, "abc\r\n", verdicts: { receive_data_command: deferrable })
    refute_includes server.sent, "500"
    deferrable.succeed
    server.receive_data(".\r\nNOOP\r\n")
    assert_includes server.log, [:receive_data_chunk, ["abc"]]
    assert server.sent.end_with?("354 Send it\r\n250 Message accepted\r\n250 Ok\r\n")
  end

  def test_chunks
    server = served(DIALOGUE, "1\r\n2\r\n3\r\n.4\r\n..\r\n...\r\n.\r\n", parms: { chunksize: 2 })
    assert_equal([%w[1 2 3], %w[4 . ..]], server.log.filter_map { |name, lines| lines if name == :receive_data_chunk })
  end

  def test_authentication
    server = served("EHLO a\r\nMAIL FROM:<a@b>\r\nAUTH LOGIN\r\nAUTH PLAIN #{PLAIN}\r\nAUTH PLAIN #{PLAIN}\r\n" \
                    "MAIL FROM:<a@b>\r\n", parms: { auth: :required })
    assert_equal ["250-AUTH PLAIN", "250-NO-SOLICITING", "250 SIZE 20000000",
                  "550 This server requires authentication before MAIL FROM", "504 auth mechanism not available",
                  "235 authentication ok", "503 auth already issued", "250 Ok"], server.sent.split("\r\n").drop(1)
    assert_includes server.log, [:receive_plain_auth, "u", "p"]
  end

  def test_authentication_in_two_lines_and_refused
    server = served("EHLO a\r\nAUTH PLAIN\r\n#{PLAIN}\r\nAUTH PLAIN\r\n*\r\nAUTH plain !!!\r\n",
                    parms: { auth: true }, verdicts: { receive_plain_auth: false })
    assert_equal ["334 ", "535 invalid authentication", "334 ", *["535 invalid authentication"] * 2],
                 server.sent.split("\r\n").drop(4)
    assert_equal([[:receive_plain_auth, "u", "p"], *[[:receive_plain_auth, nil, nil]] * 2],
                 server.log.select { |name,| name == :receive_plain_auth })
  end

  def test_starttls
    server = served("STARTTLS\r\n", "EHLO a\r\n", "MAIL FROM:<a@b>\r\n", "STARTTLS\r\n", "EHLO a\r\n", "STARTTLS\r\n",
                    "MAIL FROM:<a@b>\r\n", parms: { starttls: :required, starttls_options: { cert_chain_file: "x" } })
    answers = server.sent.split("\r\n").grep_v(/\A250[ -](?!Ok\z)/)
    assert_equal ["503 EHLO required before STARTTLS", "550 This server requires STARTTLS before MAIL FROM",
                  "220 Start TLS negotiation", "503 TLS Already negotiated", "250 Ok"], answers
    assert_includes server.log, [:start_tls, { cert_chain_file: "x" }]
  end

  def test_what_stands_behind_starttls_in_the_clear_is_not_taken
    skip "EventMachine takes it" if ENV["EM_ORACLE"]
    server = served("EHLO a\r\nSTARTTLS\r\nMAIL FROM:<somebody@else>\r\nRCPT", " TO:<x>\r\n", parms: { starttls: true })
    refute(server.log.any? { |name,| name == :receive_sender })
    assert server.sent.end_with?("220 Start TLS negotiation\r\n500 Unknown command\r\n")
  end

  def test_starttls_is_not_offered_twice
    skip "in EventMachine it is" if ENV["EM_ORACLE"]
    server = served("EHLO a\r\n", "STARTTLS\r\n", "EHLO a\r\n", parms: { starttls: true })
    assert_equal 1, server.sent.scan("250-STARTTLS").size
  end

  def test_names_can_be_given
    server = served("EHLO a\r\n") do |smtp|
      smtp.define_singleton_method(:get_server_domain) { "dom" }
      smtp.define_singleton_method(:get_server_greeting) { "hi" }
      smtp.receive_data("HELO a\r\n")
      smtp.send_server_greeting
    end
    assert server.sent.end_with?("250 dom\r\n220 hi\r\n")
  end

  def test_parameters_of_a_class_are_those_of_its_subclasses_and_of_no_other_class
    skip "EventMachine's are everybody's" if ENV["EM_ORACLE"]
    klass = Class.new(EM::P::SmtpServer)
    klass.parms = { auth: true }
    subclass = Class.new(klass)
    subclass.parms = { starttls: true }
    assert_equal([{ auth: true }, { auth: true, starttls: true }, {}],
                 [klass, subclass, EM::P::SmtpServer].map { |smtp| smtp.parms.slice(:auth, :starttls) })
    assert_equal 4000, subclass.parms[:chunksize]
  end

  # As mailcatcher does.
  def test_a_subclass_may_allow_a_second_sender
    server = served("MAIL FROM:<a@b>\r\nMAIL FROM:<c@d>\r\n") do |smtp|
      def smtp.process_mail_from(sender)
        if @state.include?(:mail_from)
          @state -= %i[mail_from rcpt data]
          receive_reset
        end
        super
      end
      smtp.receive_data("MAIL FROM:<e@f>\r\n")
    end
    assert server.sent.end_with?("503 MAIL already given\r\n250 Ok\r\n")
  end

  def test_any_split_gives_the_same_answers
    data = "#{DIALOGUE}Subject: x\r\n\r\n..y\r\n.\r\nRSET\r\nFOO\xFF\r\nHELP\r\n#{DIALOGUE}.\r\nQUIT\r\n".b
    assert_any_split_is_the_same(data) do |feed|
      smtp = served
      feed.call(smtp)
      [smtp.log, smtp.sent]
    end
  end

  def test_any_garbage_is_taken
    words = [*DIALOGUE.lines, ".\r\n", "RSET\r\n", "AUTH PLAIN\r\n", "AUTH PLAIN #{PLAIN}\r\n", "STARTTLS\r\n", "\n",
             "\xFF"]
    assert_takes_any_garbage(words) { served(parms: { auth: true, starttls: true }) }
  end

  def test_the_greeting_comes_after_the_block_of_start_server
    greeting = nil
    em do
      server = EM.start_server("127.0.0.1", 0, EM::P::SmtpServer) { |smtp| smtp.define_singleton_method(:get_server_greeting) { "late" } }
      port = port_of(server)
      Thread.new do
        greeting = TCPSocket.open("127.0.0.1", port, &:gets)
        EM.next_tick { EM.stop }
      end
    end
    assert_equal "220 late\r\n", greeting
  end

  def test_rubys_own_client_delivers_mail
    skip "net-smtp is not installed" unless defined?(Net::SMTP)
    mails = []
    inbox = Class.new(EM::P::SmtpServer) do
      define_method(:receive_plain_auth) { |user, password| [user, password] == %w[user secret] }
      define_method(:receive_sender) { |sender| mails << [sender] }
      define_method(:receive_recipient) { |recipient| mails.last << recipient }
      define_method(:receive_data_chunk) { |lines| mails.last.concat(lines) }
    end
    inbox.parms = { auth: true }
    em do
      port = port_of(EM.start_server("127.0.0.1", 0, inbox))
      Thread.new do
        Net::SMTP.start("127.0.0.1", port, helo: "test", user: "user", secret: "secret", authtype: :plain) do |smtp|
          2.times { |i| smtp.send_message("Subject: #{i}\r\n\r\n.dots\r\n", "a@b", "c@d", "e@f") }
        end
      ensure
        EM.next_tick { EM.stop }
      end
    end
    assert_equal(Array.new(2) { |i| ["<a@b>", "<c@d>", "<e@f>", "Subject: #{i}", "", ".dots"] },
                 mails.map { |mail| mail.map { |line| line.delete_suffix(" ") } })
  end

  def test_rubys_own_client_delivers_mail_over_tls
    skip "net-smtp is not installed" unless defined?(Net::SMTP)
    lines = []
    inbox = Class.new(EM::P::SmtpServer) { define_method(:receive_data_chunk) { |data| lines.concat(data) } }
    answer = nil
    em do
      port = port_of(EM.start_server(HOST, 0, inbox) { |smtp| smtp.parms = { starttls: :required } })
      Thread.new do
        smtp = Net::SMTP.new(HOST, port)
        smtp.enable_starttls(OpenSSL::SSL::SSLContext.new)
        answer = smtp.start(helo: "test") { smtp.send_message("Subject: x\r\n\r\nhello\r\n", "a@b", "c@d").status }
      ensure
        EM.next_tick { EM.stop }
      end
    end
    assert_equal ["250", ["Subject: x", "", "hello"]], [answer, lines]
  end

  def test_a_callback_may_suspend
    skip "EventMachine's callbacks hold up the rest" if ENV["EM_ORACLE"]
    order = []
    slow = Class.new(EM::P::SmtpServer) do
      define_method(:receive_sender) do |sender|
        sleep 0.05 if sender == "<slow>"
        order << sender
      end
    end
    em do
      port = port_of(EM.start_server("127.0.0.1", 0, slow))
      clients = %w[slow fast].map do |name|
        Thread.new do
          TCPSocket.open("127.0.0.1", port) do |socket|
            socket.gets
            sleep 0.01 if name == "fast"
            socket.write("MAIL FROM:<#{name}>\r\nQUIT\r\n")
            socket.read
          end
        end
      end
      Thread.new { clients.each(&:join) && EM.next_tick { EM.stop } }
    end
    assert_equal %w[<fast> <slow>], order
  end

  private

  # @return [EM::P::SmtpServer] one that has received that
  def served(*data, parms: {}, verdicts: {})
    klass = recording(EM::P::SmtpServer) do
      HOOKS.each do |name|
        define_method(name) do |*arguments|
          @log << [name, *arguments.map(&:dup)]
          verdicts.fetch(name) { super(*arguments) }
        end
      end
    end
    server = record(klass)
    server.parms = parms
    data.each { |piece| server.receive_data(piece) }
    yield server if block_given?
    server
  end
end
