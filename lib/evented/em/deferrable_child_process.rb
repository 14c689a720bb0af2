# frozen_string_literal: true

module Evented
  module EM
    # A process that is a deferrable: when it has ended it succeeds with all that it has written, however it ended
    # (`get_status` tells).
    class DeferrableChildProcess < Connection
      include Deferrable

      # Starts one.
      #
      # @param cmd [String, Array<String>] see {EM.popen}
      # @return [DeferrableChildProcess]
      # @raise [RuntimeError] if no reactor runs
      # @suspends no
      def self.open(cmd) = EM.popen(cmd, self)

      def initialize
        super
        @output = []
      end

      # @private
      def receive_data(data)
        @output << data
      end

      # @private
      def unbind
        succeed(@output.join)
      end
    end
  end
end
