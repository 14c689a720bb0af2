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
        # @return [EM::DefaultDeferrable] succeeds with true, or with false and what the server says
        # @raise [RuntimeError] if a login is under way
        def connect(db, user, psw = nil)
          raise "a login is under way" if @pending_conn

          @user = user
          @password = psw
          @errors = []
          @pending_conn = DefaultDeferrable.new
          message = PostgresPR::StartupMessage.new(3 << 16, "user" => user, "database" => db)
          send_data(message.dump)
          @pending_conn
        end

        # @param sql [String]
        # @return [EM::DefaultDeferrable] succeeds with whether that went well, a PostgresPR::Connection::Result, and an
        #   Array of the server's errors and notices; fails if the connection ends
        # @raise [RuntimeError] if another one is under way
        def query(sql)
          raise "a query is under way: wait for its deferrable" if @pending_query

          @result = PostgresPR::Connection::Result.new
          @result.rows ||= []
          @errors = []
          @failed = false
          @pending_query = DefaultDeferrable.new
          send_data(PostgresPR::Query.new(sql).dump)
          @pending_query
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

        # What was not answered has failed.
        def unbind
          pending = [@pending_conn, @pending_query].compact
          @pending_conn = @pending_query = nil
          pending.each(&:fail)
        end

        # @param msg [PostgresPR::Message] one that came while logging in
        def dispatch_conn_message(msg)
          case msg
          when PostgresPR::AuthentificationClearTextPassword then send_password(msg, @password)
          when PostgresPR::AuthentificationMD5Password then send_password(msg, md5(msg.salt))
          when PostgresPR::ErrorResponse, PostgresPR::UnknownAuthType then settle_connect(false, [msg])
          when PostgresPR::ParameterStatus then @params[msg.key] = msg.value
          when PostgresPR::NoticeResponse then @errors << msg
          when PostgresPR::ReadyForQuery then settle_connect(true)
          end
        end

        # @param msg [PostgresPR::Message] one that came while a query is under way
        def dispatch_query_message(msg)
          case msg
          when PostgresPR::RowDescription then @result.fields = msg.fields
          when PostgresPR::DataRow then @result.rows << msg.columns
          when PostgresPR::CommandComplete then @result.cmd_tag = msg.cmd_tag
          when PostgresPR::NoticeResponse then @errors << msg
          when PostgresPR::ErrorResponse
            @failed = true
            @errors << msg
          when PostgresPR::ReadyForQuery then settle_query
          end
        end

        private

        def dispatch(message)
          message = PostgresPR::Message.read(StringIO.new(message))
          if @pending_conn
            dispatch_conn_message(message)
          elsif @pending_query
            dispatch_query_message(message)
          end
        end

        def send_password(message, password)
          return settle_connect(false, [message]) unless @password

          send_data(PostgresPR::PasswordMessage.new(password).dump)
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

        def settle_query
          pending = @pending_query
          @pending_query = nil
          pending.succeed(!@failed, @result, @errors)
        end
      end
    end
  end
end
