# frozen_string_literal: true

require "helper"
require "support/client_tests"
require "support/line_server"
require "support/tls_certificates"
require "zlib"

# Plain net-smtp, unchanged. The server is a stand-in of a few lines.
class NetSMTPTest < Minitest::Test
  include ClientTests

  client "net-smtp"
  with_remedy :c, :d

  # It writes a mail line by line, which is much work.
  LARGE = 5_000

  def setup
    require "net/smtp"
    @server, @tls_server = [nil, TLSCertificates.leaf.context].map do |context|
      LineServer.new(greeting: "220 ready", context:) { |line, mail| answer(line, mail) }
    end
  rescue LoadError
    skip "the net-smtp gem is not installed"
  end

  def teardown = [@server, @tls_server].each { |server| server&.close }

  private

  def answer(line, mail)
    return take(line, mail) if mail[:text]

    case line
    when /\AEHLO/ then "250-here\r\n250 SIZE 1000000"
    when /\ARCPT TO:<never/ then nil
    when /\ARCPT TO:<in-([\d.]+)@/ then sleep(Float(Regexp.last_match(1))) && "250 at last"
    when "DATA" then (mail[:text] = []) && "354 go on"
    when "QUIT" then "221 bye"
    else "250 well"
    end
  end

  def take(line, mail)
    return (mail[:text] << line) && nil unless line == "."

    "250 taken #{Zlib.crc32(mail.delete(:text).join("\n"))}"
  end

  def connect(tls: false, timeout: 5)
    server = tls ? @tls_server : @server
    smtp = Net::SMTP.new("localhost", server.port, tls:, starttls: false,
                                                   ssl_context_params: { ca_file: TLSCertificates.root_file })
    smtp.read_timeout = timeout
    smtp.start
  end

  def disconnect(client) = client.started? && client.finish

  # Returns the text if the server has got it, in lines as mails have them.
  def ask(client, text, to = "someone@localhost")
    mail = text.scan(/.{1,70}/).join("\n")
    receipt = client.send_message(mail, "me@localhost", to).string

    receipt.end_with?(" #{Zlib.crc32(mail)}\n") ? text : receipt
  end

  def slow(client) = ask(client, "slow", "in-#{SLOW}@localhost")

  def stuck(client) = ask(client, "never", "never@localhost")

  def hang_up = @server.hang_up

  # In the middle of a dialogue there is nothing else to be said.
  def recovered(client) = connect(tls: client.tls?)

  def reconnected(_client) = connect

  def timeouts = [Net::ReadTimeout]

  def hang_ups = [EOFError, Errno::ECONNRESET]
end
