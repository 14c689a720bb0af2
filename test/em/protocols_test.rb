# frozen_string_literal: true

require "support/event_machine"

class EMProtocolsTest < Minitest::Test
  # What EventMachine 1.3 has.
  NAMES = %i[HeaderAndContentProtocol HttpClient HttpClient2 LineAndTextProtocol LineProtocol LineText2 Memcache
             ObjectProtocol Postgres3 SASLauth SASLauthclient SmtpClient SmtpServer Socks4 Stomp
             TcpConnectTester].freeze

  def test_nothing_is_missing
    assert_same EM::Protocols, EM::P
    EM::P.const_get(:SASLauth)
    assert_empty NAMES - EM::P.constants
    (NAMES - [:Postgres3]).each { |name| assert_kind_of Module, EM::P.const_get(name) }
  end

  def test_each_is_loaded_when_it_is_named
    not_of_eventmachine("finds one of them only after another")
    scripts = (NAMES - [:Postgres3]).map { |name| "fork { EM::P.const_get(:#{name}) && puts(:#{name}) }; Process.wait" }
    assert_equal (NAMES - [:Postgres3]).map(&:to_s), output_of_em(scripts.join("\n")).split
  end

  def test_modules_are_mixed_in_and_classes_are_connections
    modules = %i[LineProtocol LineText2 Memcache ObjectProtocol SASLauth SASLauthclient Stomp]
    assert_equal(modules, (NAMES - [:Postgres3]).reject { |name| EM::P.const_get(name).is_a?(Class) })
    (NAMES - modules - [:Postgres3]).each { |name| assert_operator EM::P.const_get(name), :<, EM::Connection }
  end

  def test_constants_that_programs_read
    assert_equal 32 * 1024 * 1024, EM::P::LineText2::MaxBinaryLength
    assert_equal 20 * 1024 * 1024, EM::P::HttpClient::MaxPostContentLength
    assert_equal 128 * 1024, EM::P::SASLauth::MaxFieldSize
    assert_operator EM::P::Memcache::ParserError, :<, StandardError
    assert_match EM::P::SmtpServer::MailFromRegex, "mail from: <a@b>"
  end
end
