# frozen_string_literal: true

require "socket"
require "support/em_running"

# For tests of what sends: a connection, and what arrives at its other end.
module EMStreams
  include EMRunning

  # Collects what comes, and stops the reactor at the end.
  class Collector < EM::Connection
    attr_reader :received

    def post_init
      @received = String.new
    end

    def receive_data(data)
      @received << data
    end

    def unbind
      EM.stop if EM.reactor_running?
    end
  end

  private

  # Hands the server's side of a connection to the block, and returns what has come to the other side when that ended.
  #
  # @yieldparam connection [EM::Connection]
  # @yieldparam client [Collector]
  def received
    client = nil
    em do
      server = EM.start_server("127.0.0.1", 0) { |connection| yield connection, client }
      port = Socket.unpack_sockaddr_in(EM.get_sockname(server)).first
      client = EM.connect("127.0.0.1", port, Collector)
    end
    client.received
  end
end
