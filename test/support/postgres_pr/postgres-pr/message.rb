# frozen_string_literal: true

# Stands in for the gem postgres-pr: as many of its messages as a login and simple queries need.
module PostgresPR
  # What has a type, a length and fields.
  Message = Struct.new(:type, :body) do
    # @param stream [IO, StringIO]
    # @return [Message]
    def self.read(stream)
      type = stream.read(1)
      body = stream.read(stream.read(4).unpack1("N") - 4)
      return authentication(body) if type == "R"

      (TYPES[type] || Message).new(type, body)
    end

    def self.authentication(body)
      kind = AUTHENTICATIONS.fetch(body.unpack1("N"), UnknownAuthType)
      kind.new("R", body)
    end

    def self.dump(...) = new(...).dump

    def dump = "#{type}#{[body.bytesize + 4].pack("N")}#{body}".b

    def strings = body.split("\0")
  end

  class AuthentificationOk < Message; end
  class AuthentificationClearTextPassword < Message; end
  class AuthentificationCryptPassword < Message; end
  class AuthentificationKerberosV4 < Message; end
  class AuthentificationKerberosV5 < Message; end
  class AuthentificationSCMCredential < Message; end
  class UnknownAuthType < Message; end
  class ReadyForQuery < Message; end
  class BackendKeyData < Message; end
  class CopyInResponse < Message; end
  class CopyOutResponse < Message; end
  class EmptyQueryResponse < Message; end

  class NoticeResponse < Message
    def field_values = strings.map { |field| field[1..] }
  end

  class ErrorResponse < NoticeResponse; end

  class AuthentificationMD5Password < Message
    def salt = body.byteslice(4, 4)
  end

  class ParameterStatus < Message
    def key = strings[0]
    def value = strings[1].to_s
  end

  class CommandComplete < Message
    def cmd_tag = strings.first
  end

  class RowDescription < Message
    def fields
      body.unpack1("n").then { |count| body.byteslice(2..).unpack("Z*a18" * count).each_slice(2).map(&:first) }
    end
  end

  class DataRow < Message
    def columns
      position = 2
      Array.new(body.unpack1("n")) do
        size = body.unpack1("l>", offset: position)
        position += 4
        size.negative? ? nil : body.byteslice(position, size).tap { position += size }
      end
    end
  end

  class StartupMessage < Message
    def initialize(version, parameters)
      super("", [version].pack("N") << parameters.flatten.join("\0") << "\0\0")
    end
  end

  class Query < Message
    def initialize(sql) = super("Q", "#{sql}\0")
  end

  class PasswordMessage < Message
    def initialize(password) = super("p", "#{password}\0")
  end

  TYPES = { "E" => ErrorResponse, "N" => NoticeResponse, "Z" => ReadyForQuery, "K" => BackendKeyData,
            "S" => ParameterStatus, "C" => CommandComplete, "T" => RowDescription, "D" => DataRow }.freeze
  AUTHENTICATIONS = { 0 => AuthentificationOk, 3 => AuthentificationClearTextPassword,
                      5 => AuthentificationMD5Password }.freeze
end
