# frozen_string_literal: true

module Evented
  module EM
    # The process of {EM.system}.
    class SystemCmd < Connection
      def initialize(callback)
        super()
        @cb = callback
        @output = []
      end

      # @private
      def receive_data(data) = @output << data

      # @private
      def unbind = @cb&.call(@output.join, get_status)
    end

    # Runs a command.
    #
    # @overload system(command, *arguments, init = nil, callback = nil)
    #   @param init [Proc] gets the connection to the process, and the callback
    #   @param callback [Proc] gets the output and the Process::Status
    # @yieldparam output [String]
    # @yieldparam status [Process::Status]
    # @return [Integer] its pid
    def self.system(command, *arguments, &callback)
      callback ||= arguments.pop if arguments.last.is_a?(Proc)
      init = arguments.pop if arguments.last.is_a?(Proc)
      words = [command, *arguments]
      words = words.first if words.size == 1
      popen(words, SystemCmd, callback) { |connection| init&.arity&.abs == 1 ? init.call(connection) : init&.call(connection, callback) }.get_pid
    end
  end
end
