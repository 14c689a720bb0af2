# frozen_string_literal: true

require_relative "../deferrable"
require_relative "limits"

begin
  require "postgres-pr/connection"
  require "postgres-pr/message"
rescue LoadError => e
  raise unless e.path.to_s.start_with?("postgres-pr")

  raise LoadError, "EM::Protocols::Postgres3 needs the gem postgres-pr: add `gem \"postgres-pr\"` to the Gemfile. Or " \
                   "use the gem pg, which lets other connections go on here (#{e.message})", cause: e
end
require "stringio"

module Evented
  module EM
    module Protocols
      # A client of PostgreSQL, with the gem postgres-pr, which knows the messages.
      #
      # @example
      #   db = EM.connect_unix_domain("/var/run/postgresql/.s.PGSQL.5432", EM::P::Postgres3)
      #   db.connect("database", "user", "password").callback do |connected|
      #     db.query("select 1").callback { |done, result, errors| p result.rows } if connected
      #   end
      class Postgres3 < Connection
        include Limits
        include PostgresPR

        # Seconds after which a login or a query has failed.
        PATIENCE = 15

        def initialize
          super
          @data = "".b
          @params = {}
        end

        # Logs in.
        #
        # @param db [String]
        # @param user [String]
        # @param psw [String, nil]
        # @return [EM::DefaultDeferrable] succeeds with true, or with false and why not; fails after {PATIENCE}
        def connect(db, user, psw = nil)
          return busy if @pending_conn || @pending_query

          @user = user
          @password = psw
          send_data(StartupMessage.new(3 << 16, "user" => user, "database" => db).dump)
          @pending_conn = DefaultDeferrable.new.tap { |pending| pending.timeout(PATIENCE) }
        end

        # @param sql [String]
        # @return [EM::DefaultDeferrable] succeeds with true, a PostgresPR::Connection::Result and an Array of what the
        #   server complained about, all of which has to be looked at: errors are among it. Or with false and why it
        #   wasn't asked or answered; fails after {PATIENCE}
        def query(sql)
          return busy if @pending_conn || @pending_query

          @result = PostgresPR::Connection::Result.new
          @errors = []
          send_data(Query.new(sql).dump)
          @pending_query = DefaultDeferrable.new.tap { |pending| pending.timeout(PATIENCE) }
        end

        # @param data [String] what has come
        def receive_data(data)
          return if limits_violated?

          @data << data.b
          while !limits_violated? && @data.bytesize >= 5
            size = @data.unpack1("N", offset: 1)
            return limits_violate("a message can't have #{size} bytes") unless size.between?(4, max_content_length)
            break if @data.bytesize <= size

            message = @data.byteslice(0, size + 1)
            @data = @data.byteslice((size + 1)..)
            dispatch(message)
          end
        end

        # What was not answered will not be.
        def unbind
          settle_connect(false, "lost connection") if @pending_conn
          settle_query(false, "lost connection") if @pending_query
        end

        # @param msg [PostgresPR::Message] one that came while logging in
        def dispatch_conn_message(msg)
          case msg
          when AuthentificationClearTextPassword then send_password { @password }
          when AuthentificationMD5Password then send_password { md5(msg.salt) }
          when ErrorResponse then settle_connect(false, msg.field_values.join("\t"))
          when ParameterStatus then @params[msg.key] = msg.value
          when ReadyForQuery then settle_connect(true)
          when UnknownAuthType, AuthentificationCryptPassword
            settle_connect(false, "the server wants another authentication than a password in the clear or as MD5")
          end
        end

        # @param msg [PostgresPR::Message] one that came while a query is under way
        def dispatch_query_message(msg)
          case msg
          when RowDescription then @result.fields = msg.fields
          when DataRow then @result.rows << msg.columns
          when CommandComplete then @result.cmd_tag = msg.cmd_tag
          when NoticeResponse, ErrorResponse then @errors << msg
          when ReadyForQuery then settle_query(true, @result, @errors)
          end
        end

        private

        def dispatch(message)
          message = Message.read(StringIO.new(message))
          if @pending_conn
            dispatch_conn_message(message)
          elsif @pending_query
            dispatch_query_message(message)
          end
        end

        def busy = DefaultDeferrable.new.tap { |refused| refused.succeed(false, "Operation already in progress") }

        def send_password
          return settle_connect(false, "no password specified") unless @password

          send_data(PasswordMessage.new(yield).dump)
        end

        def md5(salt)
          require "digest"
          salt = salt.is_a?(Integer) ? [salt].pack("N") : salt.to_s
          "md5#{Digest::MD5.hexdigest(Digest::MD5.hexdigest("#{@password}#{@user}") << salt)}"
        end

        def settle_connect(*outcome)
          pending = @pending_conn
          @pending_conn = nil
          pending.succeed(*outcome)
        end

        def settle_query(*outcome)
          pending = @pending_query
          @pending_query = nil
          pending.succeed(*outcome)
        end
      end
    end
  end
end
