# frozen_string_literal: true

module Evented
  # Who handles a connection.
  module EM
    class << self
      # The class of a connection's object.
      #
      # @param base [Class]
      # @param handler [Class, Module, nil] a subclass of `base`, or a module to be included in one
      # @return [Class]
      # @raise [ArgumentError] for anything else, or if its `initialize` does not take so many arguments
      def klass_from_handler(base, handler = nil, *arguments)
        klass =
          case handler
          when Class
            raise ArgumentError, "must provide module or subclass of #{base.name}" unless base >= handler

            handler
          when Module then class_of_module(base, handler)
          when nil then base
          else raise TypeError, "wrong argument type #{handler.class} (expected Module)"
          end
        check_arity(klass, arguments)
        klass
      end

      # @private
      def accepted(server, signature)
        klass, arguments, block = @acceptors[server]
        raise NoHandlerForAcceptedConnection unless klass

        build(klass, signature, arguments, &block)
      end

      # @private
      def unbound(signature, connection, errno)
        # A socket that was attached goes on listening: other processes may accept from it as well.
        return if @acceptors.delete(signature)

        @conns.delete(signature)
        return unless connection

        reason = errno.zero? ? nil : ERRNOS.fetch(errno, :unknown)
        @subprocesses[signature] ? reap(signature) { tell_end(connection, reason) } : tell_end(connection, reason)
      ensure
        connection&.__close_io
      end

      private

      def tell_end(connection, reason)
        connection.original_method(:unbind).arity.zero? ? connection.unbind : connection.unbind(reason)
      end

      # Makes the object of a new stream.
      def build(klass, signature, arguments)
        first_of_all(signature) do
          connection = klass.new(signature, *arguments)
          @conns[signature] = connection
          yield connection if block_given?
          connection
        end
      end

      # The events of a connection wait until it has been made, however long its `post_init` does. (Those of one that
      # was accepted wait anyway.)
      def first_of_all(signature)
        holds = __hold(signature)
        yield
      ensure
        __made(signature) if holds
      end

      def class_of_module(base, handler)
        if base == Connection && handler.const_defined?(:EM_CONNECTION_CLASS, false)
          return handler.const_get(:EM_CONNECTION_CLASS, false)
        end

        klass = Class.new(base) { include handler }
        handler.const_set(:EM_CONNECTION_CLASS, klass) if base == Connection
        klass
      end

      def check_arity(klass, arguments)
        arity = klass.instance_method(:initialize).arity
        expected = arity >= 0 ? arity : -(arity + 1)
        given = arguments.size
        return if arity >= 0 ? given == expected : given >= expected

        raise ArgumentError, "wrong number of arguments for #{klass}#initialize (#{given} for #{expected})"
      end
    end
  end
end
