# frozen_string_literal: true

require "support/event_machine"
require "support/tls_certificates"

# What the tests of TLS share.
module EMTLSHelpers
  # Begins TLS as soon as there is a connection, and notes what it is called for.
  class Secured < EventMachineHelpers::Told
    # @param options [Hash] for `start_tls`
    def initialize(log, name, options, acts = {})
      @options = options
      super(log, name, acts)
    end

    def post_init
      start_tls(@options)
      super
    end

    def ssl_handshake_completed = note(:ssl_handshake_completed)

    # Accepts, unless its act says something else.
    def ssl_verify_peer(pem)
      @log << [@name, :ssl_verify_peer, pem]
      @acts.key?(:ssl_verify_peer) ? @acts[:ssl_verify_peer].call(self, pem) : true
    end
  end

  private

  # A TLS server and a client of it.
  #
  # @return [Array] the log
  def handshake(server: {}, client: {}, server_acts: {}, client_acts: {}, stop: nil)
    @log = []
    stop ||= -> { @log.count { |_, event,| event == :unbind } == 2 }
    em do
      _, port = serve(Secured, @log, :server, server, server_acts)
      EM.connect(EventMachineHelpers::HOST, port, Secured, @log, :client, client, client_acts)
      stop_once(&stop)
    end
    @log
  end

  # Until both have completed.
  def completed = -> { @log.count { |_, event,| event == :ssl_handshake_completed } == 2 }

  # Both versions that are spoken.
  def each_version(&) = %w[TLSv1_2 TLSv1_3].each(&)

  # @return [Array] what was noted of this kind with one detail
  def noted(name, event) = @log.select { |who, what,| who == name && what == event }.map { |noted| noted[2] }
end

Minitest::Test.include(EMTLSHelpers)
