# frozen_string_literal: true

require_relative "../deferrable"
require_relative "limits"

module Evented
  module EM
    module Protocols
      # A client of memcached. What is asked before the connection is made, is asked then; a connection that is lost is
      # made again after a second, and what it owed an answer is answered as if nothing had been found.
      #
      # @example
      #   cache = EM::P::Memcache.connect("localhost", 11211)
      #   cache.set(:a, "hello")
      #   cache.get(:a) { |value| p value }
      module Memcache
        include Deferrable
        include Limits

        # The peer is no memcached. As in EventMachine, where it is raised; here the connection is closed.
        class ParserError < StandardError; end

        Cstored = "STORED"
        Cend = "END"
        Cdeleted = "DELETED"
        Cunknown = "NOT_FOUND"
        Cerror = "ERROR"
        Cempty = ""
        Cdelimiter = "\r\n"
        # A key, flags, bytes, and perhaps a version.
        VALUE = /\AVALUE (\S+) \d+ (\d{1,10})(?: \d+)?\z/
        private_constant :VALUE

        # @param host [String]
        # @param port [Integer]
        # @return [Memcache] the connection, a deferrable: succeeds when it is made
        # @raise [EM::ConnectionError] if there is no such host
        def self.connect(host = "localhost", port = 11_211) = EM.connect(host, port, self, host, port)

        # @param keys [Array<#to_s>] whitespace in a key becomes "_"
        # @yieldparam values [String, nil] one for each key, nil for what isn't there
        # @raise [ArgumentError] without a block
        def get(*keys, &block)
          raise ArgumentError, "get needs a block to call with the values" unless block

          callback do
            keys = keys.map { |key| clean(key) }
            @pending.push([:get, block, keys])
            send_data("get #{keys.join(" ")}\r\n")
          end
        end

        # @param keys (see #get)
        # @yieldparam values [Hash] by key, as it was given
        # @raise [ArgumentError] without a block
        def get_hash(*keys)
          raise ArgumentError, "get_hash needs a block to call with the values" unless block_given?

          get(*keys) { |*values| yield(keys.zip(values).to_h) }
        end

        # @param key [#to_s]
        # @param val [#to_s]
        # @param exptime [Integer] seconds until it is forgotten, or a time (as by Time#to_i); 0 for never
        # @yieldparam stored [Boolean]
        def set(key, val, exptime = 0, &cb)
          val = val.to_s.b
          callback do
            @pending.push([:set, cb])
            send_cmd(:set, clean(key), 0, exptime, val.bytesize)
            send_data(val)
            send_data(Cdelimiter)
          end
        end

        # @param key [#to_s]
        # @param expires [Integer] seconds in which it can't be added again; memcached has given that up since 1.4
        # @yieldparam deleted [Boolean] false if it wasn't there
        def delete(key, expires = 0, &cb)
          callback do
            @pending.push([:delete, cb])
            send_data("delete #{clean(key)} #{expires}\r\n")
          end
        end
        alias del delete

        # Sends what was asked until now.
        def connection_completed
          @buffer = "".b
          @searched = 0
          @pending = []
          @values = {}
          @value = nil
          @limits_violated = false
          @reconnecting = false
          @connected = true
          succeed
        end

        # @param data [String] what has come
        def receive_data(data)
          return if limits_violated?

          (@buffer ||= "".b) << data.b
          while !limits_violated? && (@value ? take_value : take_line)
            # Until something isn't complete yet.
          end
        end

        # Takes one line that memcached answered. Redefine it, and call `super`, for other commands.
        #
        # @param line [String]
        def process_cmd(line)
          case line = line.chomp
          when Cend then answer_get
          when Cstored, "NOT_STORED", "EXISTS" then answer(:set, line == Cstored)
          when Cdeleted, Cunknown then answer(:delete, line == Cdeleted)
          when VALUE then expect_value(*VALUE.match(line).captures)
          when Cerror, /\A(?:CLIENT|SERVER)_ERROR\b/ then answer_error
          when /\A(?:VERSION|OK|TOUCHED|RESET)\b/, /\A\d+\z/, Cempty then nil
          else limits_violate("memcached would not answer #{line[0, 100].inspect}")
          end
        end

        # @raise [RuntimeError] if there has never been a connection
        def unbind
          raise "Unable to connect to memcached server" unless @connected || @reconnecting

          EM.add_timer(1) { reconnect(@host, @port) }
          @connected = false
          @reconnecting = true
          set_deferred_status(:unknown)
          give_up
        end

        private

        def initialize(host, port = 11_211)
          @host = host
          @port = port
          @pending = []
        end

        def send_cmd(cmd, key, flags = 0, exptime = 0, bytes = 0, noreply = false)
          send_data("#{cmd} #{key} #{flags} #{exptime} #{bytes}#{" noreply" if noreply}\r\n")
        end

        # A key can't end the command it stands in.
        def clean(key) = key.to_s.b.gsub(/[\s\0]/, "_")

        def take_line
          unless (stop = @buffer.byteindex(Cdelimiter, [@searched - 1, 0].max))
            @searched = @buffer.bytesize
            limits_violate("a line is longer than #{max_line_length} bytes") if @searched > max_line_length
            return false
          end

          line = @buffer.byteslice(0, stop + 2)
          @buffer = @buffer.byteslice((stop + 2)..)
          @searched = 0
          process_cmd(line)
          true
        end

        def expect_value(key, size)
          size = size.to_i
          return @value = [key, size] if size <= max_content_length

          limits_violate("a value of #{size} bytes is longer than #{max_content_length} (max_content_length)")
        end

        def take_value
          key, size = @value
          return false if @buffer.bytesize < size + 2
          return limits_violate("a value is longer than announced") unless @buffer.byteslice(size, 2) == Cdelimiter

          @values[key] = @buffer.byteslice(0, size)
          @buffer = @buffer.byteslice((size + 2)..)
          @value = nil
          true
        end

        # Answers come in the order of the commands. Each has one: "noreply" would spare some bytes, but a failure is
        # answered all the same, and nobody could tell to what.
        def answered(kind)
          return @pending.shift if @pending.empty? || @pending.first.first == kind

          limits_violate("memcached answered a #{kind} where a #{@pending.first.first} was to be answered")
          nil
        end

        def answer(kind, value) = answered(kind)&.at(1)&.call(value)

        def answer_get
          values = @values
          @values = {}
          _kind, block, keys = answered(:get)
          block&.call(*values.values_at(*keys))
        end

        def answer_error
          @values = {}
          fail_command(@pending.shift) unless @pending.empty?
        end

        def give_up
          @values = {}
          @value = nil
          pending = @pending
          @pending = []
          pending.each { |command| fail_command(command) }
        end

        def fail_command((kind, block, keys))
          kind == :get ? block.call(*Array.new(keys.size)) : block&.call(false)
        end
      end
    end
  end
end
