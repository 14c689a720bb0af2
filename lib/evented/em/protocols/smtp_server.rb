# frozen_string_literal: true

require_relative "../deferrable"
require_relative "line_text2"

module Evented
  module EM
    module Protocols
      # Receives mail. Subclass it, and redefine the `receive_` methods; each may refuse by returning false. A callback
      # may take its time: what the client sends meanwhile waits.
      #
      # @example
      #   class Inbox < EM::P::SmtpServer
      #     def receive_recipient(rcpt) = rcpt.end_with?("@example.com>")
      #     def receive_data_chunk(lines) = (@mail ||= []).concat(lines)
      #     def receive_message = puts(@mail) || true
      #   end
      #   EM.start_server("0.0.0.0", 25, Inbox)
      class SmtpServer < Connection
        include LineText2

        HeloRegex = /\AHELO\s*/i
        EhloRegex = /\AEHLO\s*/i
        QuitRegex = /\AQUIT/i
        MailFromRegex = /\AMAIL FROM:\s*/i
        RcptToRegex = /\ARCPT TO:\s*/i
        DataRegex = /\ADATA/i
        NoopRegex = /\ANOOP/i
        RsetRegex = /\ARSET/i
        VrfyRegex = /\AVRFY\s+/i
        ExpnRegex = /\AEXPN\s+/i
        HelpRegex = /\AHELP/i
        StarttlsRegex = /\ASTARTTLS/i
        AuthRegex = /\AAUTH\s+/i
        # What a command is taken by, with what stands behind it if that is wanted.
        COMMANDS = {
          EhloRegex => %i[process_ehlo rest], HeloRegex => %i[process_helo rest],
          MailFromRegex => %i[process_mail_from rest], RcptToRegex => %i[process_rcpt_to rest],
          DataRegex => [:process_data], RsetRegex => [:process_rset], VrfyRegex => [:process_vrfy],
          ExpnRegex => [:process_expn], HelpRegex => [:process_help], NoopRegex => [:process_noop],
          QuitRegex => [:process_quit], StarttlsRegex => [:process_starttls], AuthRegex => %i[process_auth rest]
        }.freeze
        private_constant :COMMANDS

        @parms = { chunksize: 4000, verbose: false }

        class << self
          # What instances of this class and its subclasses are to do. Merged into what was set before.
          #
          # @param parms [Hash] `chunksize` (lines that {#receive_data_chunk} is given at once), `verbose` (print what
          #   comes), `auth` and `starttls` (true to offer, `:required` to insist) and `starttls_options` (as for
          #   {Connection#start_tls})
          def parms=(parms = {})
            @parms = (@parms || {}).merge(parms)
          end

          # @return [Hash] those of its superclasses included
          def parms = superclass.respond_to?(:parms) ? superclass.parms.merge(@parms || {}) : @parms
        end

        def initialize(*)
          super
          @parms = self.class.parms
          init_protocol_state
        end

        # As {.parms=}, for one connection.
        #
        # @param parms [Hash]
        def parms=(parms = {})
          @parms = @parms.merge(parms)
        end

        # Has the greeting sent, after the block of `start_server` has set parameters.
        def post_init
          EM.next_tick { send_server_greeting }
          nil
        end

        # @param ln [String]
        def receive_line(ln)
          puts ">>> #{ln}" if @parms[:verbose]
          @undecided ? @undecided.push(ln) : process_line(ln)
        end

        # HELP.
        def process_help = send_data("250 Ok, but unimplemented\r\n")

        # VRFY: nobody is told who has a mailbox.
        def process_vrfy = send_data("502 Command not implemented\r\n")

        # EXPN.
        def process_expn = send_data("502 Command not implemented\r\n")

        # NOOP.
        def process_noop = send_data("250 Ok\r\n")

        # What is no command.
        def process_unknown = send_data("500 Unknown command\r\n")

        # QUIT.
        def process_quit
          send_data("221 Ok\r\n")
          close_connection_after_writing
        end

        # @param domain [String]
        def process_ehlo(domain)
          return send_data("550 Requested action not taken\r\n") unless receive_ehlo_domain(domain)

          send_data("250-#{get_server_domain}\r\n")
          send_data("250-STARTTLS\r\n") if @parms[:starttls] && !@state.include?(:starttls)
          send_data("250-AUTH PLAIN\r\n") if @parms[:auth]
          send_data("250-NO-SOLICITING\r\n")
          send_data("250 SIZE 20000000\r\n")
          greeted
        end

        # @param domain [String]
        def process_helo(domain)
          return send_data("550 Requested action not taken\r\n") unless receive_ehlo_domain(domain)

          send_data("250 #{get_server_domain}\r\n")
          greeted
        end

        # @param str [String] what stands behind AUTH
        def process_auth(str)
          return send_data("503 auth already issued\r\n") if @state.include?(:auth)
          return send_data("504 auth mechanism not available\r\n") unless (plain = str[/\APLAIN\s*(\S*)/i, 1])
          return process_auth_line(plain) unless plain.empty?

          @state << :auth_incomplete
          send_data("334 \r\n")
        end

        # @param line [String] authorization, user and password in Base64
        def process_auth_line(line)
          @state -= [:auth_incomplete]
          _authorized, user, password = line.unpack1("m").split("\0")
          decide(receive_plain_auth(user, password), "235 authentication ok\r\n",
                 "535 invalid authentication\r\n") { |accepted| @state << :auth if accepted }
        end

        # The client gives its message up.
        def process_rset
          reset_protocol_state
          receive_reset
          send_data("250 Ok\r\n")
        end

        # What the client sent behind STARTTLS, in the clear, is not taken: it might be somebody else's.
        def process_starttls
          return process_unknown unless @parms[:starttls]
          return send_data("503 TLS Already negotiated\r\n") if @state.include?(:starttls)
          return send_data("503 EHLO required before STARTTLS\r\n") unless @state.include?(:ehlo)

          lt2_drop
          send_data("220 Start TLS negotiation\r\n")
          start_tls(@parms[:starttls_options] || {})
          @state << :starttls
        end

        # @param sender [String] with its brackets and whatever stands behind them
        def process_mail_from(sender)
          if @parms[:starttls] == :required && !@state.include?(:starttls)
            send_data("550 This server requires STARTTLS before MAIL FROM\r\n")
          elsif @parms[:auth] == :required && !@state.include?(:auth)
            send_data("550 This server requires authentication before MAIL FROM\r\n")
          elsif @state.include?(:mail_from)
            send_data("503 MAIL already given\r\n")
          elsif receive_sender(sender)
            @state << :mail_from
            send_data("250 Ok\r\n")
          else
            send_data("550 sender is unacceptable\r\n")
          end
        end

        # @param rcpt [String] with its brackets and whatever stands behind them
        def process_rcpt_to(rcpt)
          return send_data("503 MAIL is required before RCPT\r\n") unless @state.include?(:mail_from)

          decide(receive_recipient(rcpt), "250 Ok\r\n", "550 recipient is unacceptable\r\n") do |accepted|
            @state |= [:rcpt] if accepted
          end
        end

        # DATA.
        def process_data
          return send_data("503 Operation sequence error\r\n") unless @state.include?(:rcpt)

          decide(receive_data_command, "354 Send it\r\n", "550 Operation failed\r\n") do |accepted|
            next unless accepted

            @state << :data
            @databuffer = []
          end
        end

        # @param ln [String] a line of a message
        def process_data_line(ln)
          if ln == "."
            hand_over_chunk
            @state -= %i[data mail_from rcpt]
            decide(receive_message, "250 Message accepted\r\n", "550 Message rejected\r\n") { reset_protocol_state }
          else
            # A dot that would end the message was doubled.
            @databuffer << ln.delete_prefix(".")
            hand_over_chunk if @databuffer.size > (@parms[:chunksize] || 4000)
          end
        end

        # @!group To be redefined

        # @return [String] what stands behind "220 "
        def get_server_greeting = "EventMachine SMTP Server"

        # @return [String] what EHLO is answered with
        def get_server_domain = "Ok EventMachine SMTP Server"

        # @param domain [String] what the client calls itself
        # @return [Boolean] whether it is welcome
        def receive_ehlo_domain(domain) = true # rubocop:disable Lint/UnusedMethodArgument

        # @param user [String, nil]
        # @param password [String, nil]
        # @return [Boolean, EM::Deferrable] whether it is right. **True unless it is redefined.**
        def receive_plain_auth(user, password) = true # rubocop:disable Lint/UnusedMethodArgument

        # @param sender [String]
        # @return [Boolean] whether mail of his is taken
        def receive_sender(sender) = true # rubocop:disable Lint/UnusedMethodArgument

        # @param rcpt [String]
        # @return [Boolean, EM::Deferrable] whether mail for him is taken
        def receive_recipient(rcpt) = true # rubocop:disable Lint/UnusedMethodArgument

        # A message has been given up.
        def receive_reset; end

        # @return [Boolean, EM::Deferrable] whether a message can be taken now
        def receive_data_command = true

        # @param data [Array<String>] the next lines of a message, without what ends them
        def receive_data_chunk(data); end

        # A message is complete.
        #
        # @return [Boolean, EM::Deferrable] whether we are now responsible for it
        def receive_message = true

        # A new transaction may begin.
        def receive_transaction; end

        # The client has gone.
        def connection_ended; end

        # @!endgroup

        # The server speaks first.
        def send_server_greeting = send_data("220 #{get_server_greeting}\r\n")

        # What the client has done: some of `:ehlo`, `:starttls`, `:auth`, `:auth_incomplete`, `:mail_from`, `:rcpt` and
        # `:data` in `@state`, which subclasses may read and set.
        def init_protocol_state
          @state ||= [] # rubocop:disable Naming/MemoizedInstanceVariableName
        end

        # A transaction has ended; whether the client was greeted, is encrypted and authenticated stays.
        def reset_protocol_state
          @state &= %i[ehlo starttls auth]
          receive_transaction
        end

        # Calls {#connection_ended}.
        def unbind = connection_ended

        private

        def process_line(line)
          return process_data_line(line) if @state.include?(:data)
          return process_auth_line(line) if @state.include?(:auth_incomplete)

          line = line.b
          pattern, (name, rest) = COMMANDS.find { |regexp, _| line.match?(regexp) }
          return process_unknown unless pattern

          rest ? __send__(name, line.sub(pattern, "")) : __send__(name)
        end

        # What a callback returned, a deferrable perhaps: then, what the client sends before that has settled waits.
        def decide(verdict, accepted, refused, &after)
          return decided(verdict, accepted, refused, after) unless verdict.respond_to?(:set_deferred_status)

          @undecided = []
          verdict.callback { decided(true, accepted, refused, after) }
          verdict.errback { decided(false, accepted, refused, after) }
        end

        def decided(verdict, accepted, refused, after)
          send_data(verdict ? accepted : refused)
          after.call(verdict)
          return unless (lines = @undecided)

          @undecided = nil
          process_line(lines.shift) until lines.empty? || @undecided
          @undecided&.concat(lines)
        end

        def greeted
          reset_protocol_state
          @state |= [:ehlo]
        end

        def hand_over_chunk
          return if @databuffer.empty?

          receive_data_chunk(@databuffer)
          @databuffer = []
        end
      end
    end
  end
end
