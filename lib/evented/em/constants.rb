# frozen_string_literal: true

module Evented
  module EM
    # What EventMachine's native layer calls its events.
    TimerFired = 100
    ConnectionData = 101
    ConnectionUnbound = 102
    ConnectionAccepted = 103
    ConnectionCompleted = 104
    LoopbreakSignalled = 105
    ConnectionNotifyReadable = 106
    ConnectionNotifyWritable = 107
    SslHandshakeCompleted = 108
    SslVerify = 109

    # Protocols in a mask.
    EM_PROTO_SSLv2 = 2
    EM_PROTO_SSLv3 = 4
    EM_PROTO_TLSv1 = 8
    EM_PROTO_TLSv1_1 = 16
    EM_PROTO_TLSv1_2 = 32
    EM_PROTO_TLSv1_3 = 64

    # TLS is rustls's; the numbers are of the OpenSSL whose protocols and ciphers it can be compared with, in the form
    # that programs look into.
    OPENSSL_LIBRARY_VERSION = "OpenSSL 3.0.0 (rustls 0.23, ring)"
    OPENSSL_VERSION = OPENSSL_LIBRARY_VERSION
    OPENSSL_NO_SSL2 = true
    OPENSSL_NO_SSL3 = true

    # SystemCallError classes by their numbers.
    ERRNOS = Errno.constants.to_h { |name| [Errno.const_get(name)::Errno, Errno.const_get(name)] }.freeze

    # Of EventMachine: the one whose API this is.
    VERSION = "1.3.0"
  end
end
