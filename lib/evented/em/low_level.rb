# frozen_string_literal: true

module Evented
  # EventMachine's way of running a machine by hand, for those who call it.
  module EM
    class << self
      # Nothing is to be prepared.
      def initialize_event_machine = nil

      # Runs the reactor of this thread until {stop}.
      def run_machine = run
      alias run_machine_without_threads run_machine

      # Makes one pass.
      def run_machine_once = run { stop }

      # Stops it.
      def release_machine
        stop if reactor_running?
        nil
      end

      # Does what the native half does when something happens.
      #
      # @param signature [Integer]
      # @param event [Integer] one of the constants
      # @param data [String, Integer, nil] what it is about
      # @raise [EM::ConnectionNotBound] if there is no such connection
      def event_callback(signature, event, data)
        case event
        when TimerFired then timer_due(data)
        when LoopbreakSignalled then run_deferred_callbacks
        when ConnectionAccepted then accepted(signature, data)
        else connection_event(signature, event, data)
        end
      end

      # Nothing calls it; it is there as it is in EventMachine.
      def _open_file_for_writing(filename, handler = nil)
        attach(File.open(filename, "w"), handler)
      end

      private

      def connection_event(signature, event, data)
        connection = @conns[signature] or raise ConnectionNotBound, unknown(signature, event, data)

        case event
        when ConnectionData then connection.receive_data(data)
        when ConnectionUnbound then unbound(signature, connection, data.to_i)
        when ConnectionCompleted then connection.connection_completed
        when ConnectionNotifyReadable then connection.notify_readable
        when ConnectionNotifyWritable then connection.notify_writable
        when SslHandshakeCompleted then connection.ssl_handshake_completed
        end
      end

      def unknown(signature, event, data)
        return "unknown connection: #{signature}" unless event == ConnectionData

        "received #{data.bytesize} bytes of data for unknown signature: #{signature}"
      end
    end
  end
end
