# frozen_string_literal: true

require_relative "../deferrable"
require_relative "line_text2"

module Evented
  module EM
    module Protocols
      # Sends one message.
      #
      # @example
      #   mail = EM::P::SmtpClient.send(host: "localhost", domain: "example.com", from: "me@example.com",
      #                                 to: ["you@example.com"], header: {"Subject" => "Hello"}, body: "How are you?")
      #   mail.callback { puts "sent" }
      #   mail.errback { |result| puts "#{result.code} #{result.message.join(" ")}" }
      class SmtpClient < Connection
        include Deferrable
        include LineText2

        # What came of it: when it began (a Time) and how many seconds it took, the code and the lines of the last
        # answer, and what that answered. Code and message are nil if there was no connection; the code is 900 if the
        # fault is ours.
        Result = Struct.new(:start_time, :elapsed_time, :responder, :code, :message, keyword_init: true)

        # What is sent, and how.
        #
        # @param value [Hash] as for {.send}
        attr_writer :args

        # @param args [Hash] `host`, `port` (25), `domain` (what we call ourselves), `from`, `to` (a String or several),
        #   `header` (a Hash) and `body` (a String or several), or `content` instead: the whole message as it is to be
        #   sent, dots doubled; `starttls` (true to insist on it), `auth` (`{type: :plain, username:, password:}`, each
        #   a String or what gives one when it is called), `verbose` (print what comes)
        # @return [SmtpClient] a deferrable: succeeds or fails with a {Result}
        # @raise [EM::ConnectionError] if there is no such host
        def self.send(args = {})
          EM.connect(args[:host], args[:port] || 25, self) { |client| client.args = args }
        end

        # Notes the time.
        def post_init
          @began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
          @result = Result.new(start_time: Time.now)
        end

        # The server speaks first.
        def connection_completed
          @responder = :receive_signon
        end

        # If it was not sent until now, it failed.
        def unbind
          finish(:failed) unless @finished
        end

        # @param ln [String] of an answer
        def receive_line(ln)
          puts ln if @args[:verbose]
          (@msg ||= []) << ln.byteslice(4..).to_s
          return if ln.getbyte(3) == 45 # "-": there is more of it

          @code = ln.byteslice(0, 3).to_i
          @range = @code / 100
          answer = @msg
          @msg = []
          puts @responder if @args[:verbose]
          return if @finished

          @result.responder = @responder
          @result.code = @code
          @result.message = answer
          __send__(@responder)
        end

        private

        def receive_signon
          @range == 2 ? send_ehlo : invoke_error
        end

        def send_ehlo
          @responder = :receive_ehlo_response
          send_data("EHLO #{line(@args[:domain])}\r\n")
        end

        def receive_ehlo_response
          return invoke_error unless @range == 2

          @args[:starttls] ? invoke_starttls : invoke_auth
        end

        def invoke_starttls
          @responder = :receive_starttls_response
          send_data("STARTTLS\r\n")
        end

        # What was answered in the clear behind that is not taken: it might be somebody else's.
        def receive_starttls_response
          return invoke_error unless @range == 2

          lt2_drop
          start_tls
          invoke_ehlo_over_tls
        end

        def invoke_ehlo_over_tls
          @responder = :receive_ehlo_over_tls_response
          send_data("EHLO #{line(@args[:domain])}\r\n")
        end

        def receive_ehlo_over_tls_response
          @range == 2 ? invoke_auth : invoke_error
        end

        def invoke_auth
          return invoke_mail_from unless (auth = @args[:auth])
          return invoke_internal_error("unsupported auth type") unless auth[:type].to_s == "plain"

          @responder = :receive_auth_response
          user, password = auth.values_at(:username, :password).map do |value|
            value.respond_to?(:call) ? value.call : value
          end
          send_data("AUTH PLAIN #{["\0#{user}\0#{password}"].pack("m0")}\r\n")
        end

        def receive_auth_response
          @range == 2 ? invoke_mail_from : invoke_error
        end

        def invoke_mail_from
          @responder = :receive_mail_from_response
          send_data("MAIL FROM: <#{line(@args[:from])}>\r\n")
        end

        def receive_mail_from_response
          @range == 2 ? invoke_rcpt_to : invoke_error
        end

        def invoke_rcpt_to
          @recipients ||= [@args[:to]].flatten
          return invoke_data if @recipients.empty?

          @responder = :receive_rcpt_to_response
          send_data("RCPT TO: <#{line(@recipients.shift)}>\r\n")
        end

        # One that is accepted is enough.
        def receive_rcpt_to_response
          @accepted = true if @range == 2
          return invoke_rcpt_to unless @recipients.empty?

          @accepted ? invoke_data : invoke_error
        end

        def invoke_data
          @responder = :receive_data_response
          send_data("DATA\r\n")
        end

        def receive_data_response
          return invoke_error unless @range == 3

          @responder = :receive_message_response
          @args[:content] ? send_content([@args[:content]].join) : send_header_and_body
        end

        def send_content(content)
          send_data(content)
          send_data(content.end_with?("\r\n") ? ".\r\n" : "\r\n.\r\n") unless content.end_with?("\r\n.\r\n")
        end

        def send_header_and_body
          (@args[:header] || {}).each { |name, value| send_data("#{line(name)}: #{value}\r\n") }
          send_data("\r\n")
          send_data(escape_leading_dots([@args[:body]].join))
          send_data("\r\n.\r\n")
        end

        def receive_message_response
          return invoke_error unless @range == 2

          quit
          finish(:succeeded)
        end

        def invoke_error
          quit
          finish(:failed)
        end

        def invoke_internal_error(msg = "???")
          @result.code = 900
          @result.message = msg
          invoke_error
        end

        def escape_leading_dots(s) = s.b.gsub(/^\./, "..")

        # A line break in an address would be a command of its own.
        def line(text) = text.to_s.tr("\r\n", "")

        def quit
          send_data("QUIT\r\n")
          close_connection_after_writing
        end

        def finish(status)
          @finished = true
          @result.elapsed_time = Process.clock_gettime(Process::CLOCK_MONOTONIC) - @began
          set_deferred_status(status, @result)
        end
      end
    end
  end
end
