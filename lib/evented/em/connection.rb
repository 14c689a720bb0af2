# frozen_string_literal: true

module Evented
  module EM
    # One connection, or whatever else has a descriptor. Programs subclass it, or give its methods in a module, and
    # redefine the callbacks: {#post_init}, {#connection_completed}, {#receive_data}, {#unbind} and so on.
    #
    # A callback may suspend; the later events of its connection wait for it, in order, {#unbind} last.
    class Connection
      # @return [Integer]
      attr_accessor :signature

      # Subclasses may define a `method` of their own.
      alias original_method method

      class << self
        # @private
        ruby2_keywords def new(signature, *arguments)
          allocate.instance_eval do
            @signature = signature
            # Some make objects without a connection.
            EM.__own(signature, self) if signature.is_a?(Integer)
            initialize(*arguments)
            post_init
            self
          end
        end
      end

      # @param arguments what was given after the handler
      def initialize(*arguments); end

      # Right after it was made; a connection that is being made has no peer yet.
      def post_init; end

      # Something has come.
      #
      # @param data [String] binary, at most 16 KiB
      def receive_data(data)
        puts "............>>>#{data.length}"
      end

      # The connection was made.
      def connection_completed; end

      # The TLS handshake is over.
      def ssl_handshake_completed; end

      # @param cert [String] a certificate of the peer, as PEM
      # @return [Boolean] whether it is accepted
      def ssl_verify_peer(cert); end

      # It has ended: the last callback. Takes the reason if it is defined with a parameter: nil, or a class of Errno.
      def unbind; end

      # What its bytes are relayed to has ended.
      def proxy_target_unbound; end

      # As many bytes have been relayed as were to be.
      def proxy_completed; end

      # Has its bytes be sent by another connection, without being called.
      #
      # @param connection [Connection, Integer] or its signature
      # @param bufsize [Integer] with more bytes than this unsent by that one, this one is not read; 0 for no limit
      def proxy_incoming_to(connection, bufsize = 0)
        EM.enable_proxy(self, connection, bufsize)
      end

      def stop_proxying = EM.disable_proxy(self)

      # @return [Integer] bytes relayed
      def get_proxied_bytes = EM.get_proxied_bytes(@signature)

      # @!method send_data(data)
      #   Queues bytes; they leave when the pass is over.
      #
      #   @param data [#to_s]
      #   @return [Integer] how many; 0 if it is about to close, -1 if it has ended
      #   @raise [RuntimeError] if it is only watched
      #   @suspends no
      #   @threadsafe yes
      EM.__define_send_data(self)

      # @param recipient_address [String] an address, or a name
      # @return [Integer] bytes queued
      # @raise [EM::ConnectionError] if the address is bad, or it is no datagram socket
      def send_datagram(data, recipient_address, recipient_port)
        data = data.to_s
        EM.send_datagram(@signature, data, data.bytesize, recipient_address, Integer(recipient_port))
      end

      # Ends it with this pass; what was not sent is lost.
      def close_connection(after_writing = false)
        EM.close_connection(@signature, after_writing)
      end

      # Ends it as soon as everything was sent.
      def close_connection_after_writing = close_connection(true)

      # Takes its descriptor out of the reactor; {#unbind} follows.
      #
      # @return [Integer] the descriptor, which stays open
      def detach = EM.detach_fd(@signature)

      # Makes a new connection of this object.
      def reconnect(server, port) = EM.reconnect(server, port, self)

      # @return [false, true, Class] true if it has ended; else the error of its socket
      def error?
        errno = EM.report_connection_error_status(@signature)
        case errno
        when 0 then false
        when -1 then true
        else ERRNOS.fetch(errno, :unknown)
        end
      end

      # @return [String, nil] for Socket.unpack_sockaddr_in; of a datagram socket, that of the last sender
      # @raise [RuntimeError] if it is not connected
      def get_peername = EM.get_peername(@signature)

      # @return [String, nil] for Socket.unpack_sockaddr_in
      def get_sockname = EM.get_sockname(@signature)

      # @return [Integer, nil] of a process of {EM.popen}
      def get_pid = EM.get_subprocess_pid(@signature)

      # @return [Process::Status, nil] of a process of {EM.popen}, from {#unbind} on
      def get_status = EM.get_subprocess_status(@signature)

      # @return [Float, nil] seconds since something was received or sent
      def get_idle_time = EM.get_idle_time(@signature)

      # @return [Integer] bytes that were not sent
      def get_outbound_data_size = EM.get_outbound_data_size(@signature)

      # @return [Float] seconds after which an idle connection is ended with Errno::ETIMEDOUT; 0.0 is never
      def comm_inactivity_timeout = EM.get_comm_inactivity_timeout(@signature)

      def comm_inactivity_timeout=(seconds)
        set_comm_inactivity_timeout(seconds)
      end

      # @return [Boolean] whether it could be set
      def set_comm_inactivity_timeout(seconds) = EM.set_comm_inactivity_timeout(@signature, seconds.to_f)

      # @return [Float] seconds after which a connection that was not made is given up with Errno::ETIMEDOUT
      def pending_connect_timeout = EM.get_pending_connect_timeout(@signature)

      def pending_connect_timeout=(seconds)
        set_pending_connect_timeout(seconds)
      end

      # @return [Boolean] whether it could be set; 0 is ignored
      def set_pending_connect_timeout(seconds) = EM.set_pending_connect_timeout(@signature, seconds.to_f)

      # Stops reading and writing.
      #
      # @return [Boolean] whether that is a change
      def pause = EM.pause_connection(@signature)

      # @return [Boolean] whether that is a change
      def resume = EM.resume_connection(@signature)

      def paused? = EM.connection_paused?(@signature)

      # @return [Boolean] whether it is of {EM.watch}
      def watch_only? = EM.watch_only?(@signature)

      # Whether `notify_readable` is called.
      def notify_readable? = EM.is_notify_readable(@signature)

      def notify_readable=(on)
        EM.set_notify_readable(@signature, on)
      end

      # Whether `notify_writable` is called.
      def notify_writable? = EM.is_notify_writable(@signature)

      def notify_writable=(on)
        EM.set_notify_writable(@signature, on)
      end

      # Does nothing, as in EventMachine.
      def associate_callback_target(sig); end

      # @private
      def __hold(io, watched)
        @io = io
        @watch_mode = watched
      end

      # An attached IO is closed with its connection.
      #
      # @private
      def __close_io
        return if @watch_mode || !@io.respond_to?(:close) || @detached

        @io.close
      rescue Errno::EBADF, IOError
        # It was closed already.
      end
    end
  end
end
