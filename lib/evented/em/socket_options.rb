# frozen_string_literal: true

module Evented
  module EM
    class << self
      # @return [String] an option of a connection's socket, for String#unpack
      # @raise [SystemCallError] if there is no such option
      # @raise [RuntimeError] if the connection has ended
      def get_sock_opt(signature, level, option)
        socket_of(signature).getsockopt(level, option).data
      end

      # @param value [Integer, true, false, String]
      # @return [0]
      # @raise (see get_sock_opt)
      def set_sock_opt(signature, level, option, value)
        socket_of(signature).setsockopt(level, option, value)
      end

      # @return [Integer] -1 if the connection has ended; else the error of its socket, 0 for none
      # @private
      def report_connection_error_status(signature)
        return -1 unless __descriptor(signature)

        socket_of(signature).getsockopt(:SOCKET, :ERROR).int
      rescue SystemCallError
        0
      end

      private

      def socket_of(signature)
        socket = Socket.for_fd(get_file_descriptor(signature))
        socket.autoclose = false
        socket
      end
    end

    # Options of its socket.
    class Connection
      # @return (see EM.get_sock_opt)
      # @raise (see EM.get_sock_opt)
      def get_sock_opt(level, option) = EM.get_sock_opt(@signature, level, option)

      # @return (see EM.set_sock_opt)
      # @raise (see EM.set_sock_opt)
      def set_sock_opt(level, option, value) = EM.set_sock_opt(@signature, level, option, value)

      # Has the system find out when the other end is gone.
      #
      # @param idle [Integer, nil] seconds of silence before it asks; nil and 0 for the system's own, as below
      # @param intvl [Integer, nil] seconds between two questions
      # @param cnt [Integer, nil] unanswered questions
      # @raise [RuntimeError] if that can't be set
      def enable_keepalive(idle = nil, intvl = nil, cnt = nil)
        set_sock_opt(:SOCKET, :KEEPALIVE, true)
        { KEEPIDLE: idle, KEEPINTVL: intvl, KEEPCNT: cnt }.each do |option, value|
          set_sock_opt(:TCP, option, value) if value&.positive?
        end
        0
      rescue SystemCallError => e
        raise "unable to enable keepalive: #{e.message}"
      end

      # @raise [RuntimeError] if that can't be set
      def disable_keepalive
        set_sock_opt(:SOCKET, :KEEPALIVE, false)
      rescue SystemCallError => e
        raise "unable to disable keepalive: #{e.message}"
      end
    end
  end
end
