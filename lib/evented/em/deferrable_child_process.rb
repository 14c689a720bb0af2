# frozen_string_literal: true

module Evented
  module EM
    # A process whose output a deferrable succeeds with.
    class DeferrableChildProcess < Connection
      include Deferrable

      def initialize
        super
        @data = []
      end

      # @param cmd [String, Array<String>] see {EM.popen}
      # @return [DeferrableChildProcess]
      def self.open(cmd) = EM.popen(cmd, DeferrableChildProcess)

      # @private
      def receive_data(data) = @data << data

      # @private
      def unbind = succeed(@data.join)
    end
  end
end
