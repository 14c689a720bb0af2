# frozen_string_literal: true

module Evented
  module EM
    # A connection came that nobody handles.
    class NoHandlerForAcceptedConnection < RuntimeError; end

    # A connection can't be made: bad address, bad port, nothing to relay to.
    class ConnectionError < RuntimeError; end

    # There is no connection with this signature.
    class ConnectionNotBound < RuntimeError; end

    # There is no timer with this signature.
    class UnknownTimerFired < RuntimeError; end

    # This system can't do that.
    class Unsupported < RuntimeError; end

    # There is nothing with this signature.
    class InvalidSignature < RuntimeError; end

    # A key that can't be read, or that does not fit its certificate.
    class InvalidPrivateKey < RuntimeError; end

    # A file that TLS needs is not there. No StandardError, as in EventMachine.
    class FileNotFoundException < Exception; end # rubocop:disable Lint/InheritException

    # Options of `start_tls` that contradict each other. No StandardError, as in EventMachine.
    class BadParams < Exception; end # rubocop:disable Lint/InheritException

    # A certificate was given twice.
    class BadCertParams < BadParams; end

    # A key was given twice.
    class BadPrivateKeyParams < BadParams; end
  end
end
