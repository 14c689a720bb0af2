# frozen_string_literal: true

module Evented
  # Descriptors that are there already.
  module EM
    class << self
      # Reads and writes an IO as a connection, and closes it with that.
      #
      # @param io [IO, Integer] or its descriptor
      # @return [Connection]
      # @raise [RuntimeError] if it is attached or watched already, or not open
      def attach(io, handler = nil, *, &) = attach_io(io, false, handler, *, &)

      # Watches an IO: `notify_readable` and `notify_writable` are called while it is ready, once they are switched on.
      # Nothing is read, written or closed.
      #
      # @param (see attach)
      # @return (see attach)
      # @raise (see attach)
      def watch(io, handler = nil, *, &) = attach_io(io, true, handler, *, &)

      # @private
      def attach_io(io, watch_mode, handler = nil, *arguments, &block)
        klass = klass_from_handler(Connection, handler, *arguments)
        if !watch_mode && (klass.method_defined?(:notify_readable) || klass.method_defined?(:notify_writable))
          raise ArgumentError, "notify_readable/writable with EM.attach is not supported. " \
                               "Use EM.watch(io){ |c| c.notify_readable = true }"
        end
        is_number = io.is_a?(Integer)
        raise TypeError, "no implicit conversion of #{io.class} into Integer" unless is_number || io.respond_to?(:to_io)

        descriptor = is_number ? io : io.to_io.fileno
        signature = add_descriptor(descriptor, watch_mode, !is_number)
        connection = klass.allocate
        connection.__hold(is_number ? nil : io, watch_mode)
        first_of_all(signature) do
          @conns[signature] = build_held(connection, signature, arguments)
          block&.call(connection)
        end
        connection
      end

      # Lets a connection go.
      #
      # @return [Integer] its descriptor, which stays open
      # @raise [RuntimeError] if it has ended
      def detach_fd(signature)
        descriptor = __detach(signature) or raise "invalid binding to detach"

        @conns[signature]&.__detached
        descriptor
      end

      # @return [Integer] the signature of a stream without an object
      def attach_fd(descriptor, watch_mode) = add_descriptor(descriptor, watch_mode, false)

      # @return [Integer] the descriptor of a connection
      # @raise [RuntimeError] if it has ended
      def get_file_descriptor(signature) = __descriptor(signature) || raise("invalid binding to get_fd")

      # Reads from the terminal, a byte at a time.
      #
      # @return [Connection]
      # @raise [RuntimeError] if it is read already
      def open_keyboard(handler = nil, *arguments, &)
        klass = klass_from_handler(Connection, handler, *arguments)
        build(klass, read_keyboard, arguments, &)
      end

      # @return [Integer] the signature of a stream without an object
      def read_keyboard
        reactor!("evma_open_keyboard")
        raise "no keyboard reader" if __has_descriptor?(0)

        __add(0, :borrowed_pipe, false, 1)
      end

      private

      def add_descriptor(descriptor, watch_mode, borrowed)
        reactor!("evma_attach_fd")
        io = IO.for_fd(descriptor, autoclose: false)
        if __has_descriptor?(descriptor)
          raise "adding existing new descriptor: #{descriptor} is attached or watched already, detach it first"
        end

        return __add(descriptor, :borrowed_watch, false, nil) if watch_mode

        kind = io.stat.socket? ? :socket : :pipe
        __add(descriptor, borrowed ? :"borrowed_#{kind}" : kind, false, nil)
      rescue Errno::EBADF, Errno::EINVAL
        raise "unable to add new descriptor: Bad file descriptor: #{descriptor} is not open"
      end

      def build_held(connection, signature, arguments)
        connection.instance_eval do
          @signature = signature
          EM.__own(signature, self)
          initialize(*arguments)
          post_init
        end
        connection
      end
    end

    # What {EM.detach_fd} tells a connection.
    class Connection
      # Its descriptor was taken out of the reactor: whoever did that closes it.
      #
      # @private
      def __detached = @detached = true
    end
  end
end
