# frozen_string_literal: true

module Evented
  module EM
    # Parsers and small clients that EventMachine brings along, each loaded when it is named. Mix a module into a
    # handler, or subclass a class:
    #
    # @example
    #   module Echo
    #     include EM::P::LineText2
    #
    #     def receive_line(line) = send_data("#{line}\n")
    #   end
    #   EM.start_server("127.0.0.1", 8081, Echo)
    module Protocols
      autoload :HeaderAndContentProtocol, "#{__dir__}/protocols/header_and_content"
      autoload :HttpClient, "#{__dir__}/protocols/http_client"
      autoload :HttpClient2, "#{__dir__}/protocols/http_client2"
      autoload :Limits, "#{__dir__}/protocols/limits"
      autoload :LineAndTextProtocol, "#{__dir__}/protocols/line_and_text"
      autoload :LineProtocol, "#{__dir__}/protocols/line_protocol"
      autoload :LineText2, "#{__dir__}/protocols/line_text2"
      autoload :Memcache, "#{__dir__}/protocols/memcache"
      autoload :ObjectProtocol, "#{__dir__}/protocols/object_protocol"
      autoload :Postgres3, "#{__dir__}/protocols/postgres3"
      autoload :SASLauth, "#{__dir__}/protocols/sasl_auth"
      autoload :SASLauthclient, "#{__dir__}/protocols/sasl_auth_client"
      autoload :SmtpClient, "#{__dir__}/protocols/smtp_client"
      autoload :SmtpServer, "#{__dir__}/protocols/smtp_server"
      autoload :Socks4, "#{__dir__}/protocols/socks4"
      autoload :Stomp, "#{__dir__}/protocols/stomp"
      autoload :TcpConnectTester, "#{__dir__}/protocols/tcp_connect_tester"
      autoload :Violation, "#{__dir__}/protocols/limits"
    end

    P = Protocols
  end
end
