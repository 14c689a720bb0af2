# frozen_string_literal: true

module Evented
  module EM
    # The process of {EM.system}, which its `init` gets.
    class SystemCmd < Connection
      # @param callback [#call, nil]
      def initialize(callback)
        super
        @callback = callback
        @output = []
      end

      # @private
      def receive_data(data)
        @output << data
      end

      # @private
      def unbind
        @callback&.call(@output.join, get_status)
      end
    end

    # Runs a command; no shell is involved.
    #
    # @overload system(command, *arguments, init = nil, callback = nil)
    #   @param command [String] split as a shell would split it, if there are no arguments
    #   @param arguments [Array<String>]
    #   @param init [Proc] is called with the {SystemCmd}, whose `send_data` is its input; only with a callback
    #   @param callback [Proc] or a block
    # @yieldparam output [String] all that the command has written
    # @yieldparam status [Process::Status] whose `exitstatus` is 255 also if the command could not be started
    # @return [Integer] its pid
    # @raise [RuntimeError] if no reactor runs
    # @suspends no
    def self.system(command, *arguments, &block)
      procs, words = arguments.compact.partition { |argument| argument.is_a?(Proc) }
      callback = block || procs.pop
      init = procs.pop
      words = words.empty? ? command : [command, *words]
      popen(words, SystemCmd, callback) { |process| init&.call(process) }.get_pid
    end
  end
end
