# frozen_string_literal: true

module Evented
  module EM
    # A process that is watched: {EM.watch_process}. Programs subclass it.
    class ProcessWatch < Connection
      # @return [Integer]
      attr_reader :pid

      # It has forked; Linux does not tell.
      def process_forked; end

      # It has ended; {#unbind} follows.
      def process_exited; end

      # @private
      def notify_readable
        process_exited
        stop_watching
      end

      # @raise [EM::InvalidSignature] if it is not watched any more
      def stop_watching = EM.unwatch_pid(@signature)
    end

    class << self
      # Watches a process, any that may be signalled; it need not be a child.
      #
      # @param pid [Integer]
      # @param handler [Class, Module, nil] a subclass of {ProcessWatch}, or a module for one
      # @return [ProcessWatch]
      # @raise [EM::Unsupported] if there is none, or the system can't watch it
      def watch_process(pid, handler = nil, *arguments)
        pid = Integer(pid)
        klass = klass_from_handler(ProcessWatch, handler, *arguments)
        watch = build_watch(klass, watch_pid(pid), :@pid, pid, arguments)
        watch.notify_readable = true
        yield watch if block_given?
        watch
      end

      # @return [Integer] the signature of a process that is watched, without an object
      # @raise [EM::Unsupported] if there is none, or the system can't watch it
      def watch_pid(pid)
        reactor!("evma_watch_pid")
        __add(__pidfd(pid), :watch, false, nil)
      rescue SystemCallError => e
        raise Unsupported, "error registering process #{pid} for watching: #{e.message}"
      end

      # @raise [EM::InvalidSignature] if it is not watched
      def unwatch_pid(signature)
        raise InvalidSignature, "there is no watched process with signature #{signature}" unless __descriptor(signature)

        __fail(signature, 0)
        nil
      end
    end
  end
end
