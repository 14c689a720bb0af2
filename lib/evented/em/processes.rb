# frozen_string_literal: true

require "shellwords"

module Evented
  # Processes.
  module EM
    # By the signatures of their connections: pid, and status once it has ended.
    @subprocesses = {}

    # How long a process may take to end after its connection has, and after each signal, in seconds: EventMachine's own
    # times, in which nobody else is kept waiting here.
    REAPING = [[nil, 0.5], ["TERM", 1], ["KILL", 5]].freeze
    private_constant :REAPING

    class << self
      # Starts a process and connects to its standard input and output.
      #
      # @param cmd [String, Array<String>] split as a shell would split it, but no shell is involved
      # @return [Connection] `get_status` tells in `unbind` how it has ended
      # @raise [RuntimeError] if there are too many arguments
      def popen(cmd, handler = nil, *arguments)
        klass = klass_from_handler(Connection, handler, *arguments)
        words = cmd.is_a?(Array) ? cmd : Shellwords.shellwords(cmd)
        connection = build(klass, invoke_popen(words.map(&:to_s)), arguments)
        yield connection if block_given?
        connection
      end

      # @return [Integer] the signature of a stream without an object
      def invoke_popen(words)
        reactor!("evma_popen")
        raise "too many arguments to popen" if words.size >= 2048
        raise "no popen: there is no command in it" if words.empty?

        ours, theirs = UNIXSocket.pair
        pid = start_process(words, theirs)
        theirs.close
        signature = __add(give_away(ours), :socket, false, nil)
        @subprocesses[signature] = [pid, nil]
        signature
      end

      # @return [Integer, nil] the pid of a process of {popen}
      def get_subprocess_pid(signature) = @subprocesses[signature]&.first

      # @return [Process::Status, nil] once it has ended
      def get_subprocess_status(signature) = @subprocesses[signature]&.last

      # @private
      def reap(signature)
        pid, = @subprocesses[signature]
        @subprocesses[signature] = [pid, status_of(pid)]
        yield
      ensure
        @subprocesses.delete(signature)
      end

      private

      # As EventMachine has it, what can't be started ends with status 255.
      def start_process(words, io)
        Process.spawn([words.first, words.first], *words.drop(1), in: io, out: io)
      rescue SystemCallError
        Process.spawn("exit 255", in: io, out: io)
      end

      def status_of(pid)
        REAPING.each do |signal, seconds|
          Process.kill(signal, pid) if signal
          return Evented.timeout(seconds) { Process.wait2(pid).last }
        rescue Evented::TimeoutError
          next
        end
        nil
      rescue Errno::ECHILD, Errno::ESRCH
        nil
      end
    end
  end
end
