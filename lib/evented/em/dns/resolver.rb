# frozen_string_literal: true

require "resolv"

module Evented
  module EM
    module DNS
      # Looks up the addresses of hosts: in the file of hosts, else at a name server.
      class Resolver
        # Where hosts are listed.
        HOSTS_FILE = "/etc/hosts"
        # Where name servers are listed.
        CONFIGURATION = "/etc/resolv.conf"
        private_constant :CONFIGURATION

        @sockets = {}
        @nameserver_port = 53

        class << self
          # @return [Integer] the port of all name servers
          attr_accessor :nameserver_port

          # Looks up a host.
          #
          # @param hostname [String]
          # @return [Request] that succeeds with an Array of addresses, or fails with "rcode=…" (the server's answer,
          #   which may be 0 if it knows no address) or "retries exceeded" (there was none)
          # @raise [ArgumentError] if that is no String
          # @raise [RuntimeError] if no reactor runs
          # @suspends no
          def resolve(hostname)
            Request.new(socket, hostname)
          end

          # @return [Socket] what the reactor asks with
          # @raise [RuntimeError] if no reactor runs
          def socket
            @sockets[reactor] ||= Socket.open
          end

          # @param socket [Socket] that has ended
          # @private
          def forget(socket)
            @sockets.delete_if { |_, other| other.equal?(socket) }
          end

          # @param list [Array<String>] addresses, of IPv4 and IPv6
          def nameservers=(list)
            @nameservers = Array(list)
          end

          # @return [Array<String>] addresses; those of the system unless others were set
          def nameservers
            @nameservers ||= lines(CONFIGURATION).filter_map { |line| line[/\A\s*nameserver\s+(\S+)/, 1] }
          end

          # @return [String, nil] one of them
          def nameserver = nameservers.sample

          # @return [Hash{String => Array<String>}] the addresses of hosts that are listed in the file
          def hosts
            @hosts ||= lines(HOSTS_FILE).each_with_object({}) do |line, hosts|
              address, *names = line.sub(/#.*/, "").split
              names.each { |name| (hosts[name] ||= []) << address }
            end
          end

          # @return [false]
          def windows? = false

          private

          # A forked child has a reactor of its own.
          def reactor = [Process.pid, EM.reactor_thread]

          def lines(file)
            File.foreach(file, chomp: true)
          rescue SystemCallError
            []
          end
        end
      end
    end
  end
end
