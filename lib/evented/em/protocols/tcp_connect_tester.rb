# frozen_string_literal: true

require_relative "../deferrable"

module Evented
  module EM
    module Protocols
      # Tells whether somebody listens.
      #
      # @example
      #   EM::P::TcpConnectTester.test("localhost", 80).callback { |seconds| puts "in #{seconds} s" }
      class TcpConnectTester < Connection
        include Deferrable

        # @param host [String]
        # @param port [Integer]
        # @return [TcpConnectTester] a deferrable: succeeds or fails with how many seconds that took
        # @raise [EM::ConnectionError] if there is no such host
        def self.test(host, port) = EM.connect(host, port, self)

        # Notes the time.
        def post_init
          @start_time = Process.clock_gettime(Process::CLOCK_MONOTONIC)
        end

        # Somebody listens.
        def connection_completed
          @connected = true
          close_connection
          set_deferred_status(:succeeded, elapsed)
        end

        # Nobody listens, unless it was told that somebody does.
        def unbind
          set_deferred_status(:failed, elapsed) unless @connected
        end

        private

        def elapsed = Process.clock_gettime(Process::CLOCK_MONOTONIC) - @start_time
      end
    end
  end
end
