# frozen_string_literal: true

require "helper"
require "socket"
require "support/ruby_process"

if ENV["EM_ORACLE"]
  require "eventmachine"
  EM.epoll if ENV["EM_ORACLE"] == "epoll"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end

# What the tests of EventMachine's behaviour share. They hold for EventMachine itself as well: with EM_ORACLE set they
# run against that, so that nobody's memory has to be trusted.
module EventMachineHelpers
  HOST = "127.0.0.1"
  ORACLE = ENV.key?("EM_ORACLE")
  LOAD = ORACLE ? 'require "eventmachine";' : 'require "evented/em"; EM = Evented::EM;'

  # A connection that notes what it is called for, and does then what it was told to.
  #
  #   EM.connect(HOST, port, Told, log, :client, receive_data: ->(connection, data) { EM.stop })
  class Told < EM::Connection
    def initialize(log, name = :it, acts = {})
      super()
      @log = log
      @name = name
      @acts = acts
      note(:initialize)
    end

    def post_init = note(:post_init)
    def connection_completed = note(:connection_completed)
    def receive_data(data) = note(:receive_data, data)
    def unbind(reason = nil) = note(:unbind, reason)

    private

    def note(event, *details)
      @log << [@name, event, *details]
      @acts[event]&.call(self, *details)
    end
  end

  private

  # Runs EventMachine until it is stopped; flunks if nobody stops it.
  #
  # @param limit [Numeric] seconds
  def em(limit: 10)
    late = nil
    EM.run do
      EM.add_timer(limit) do
        late = "nobody stopped the reactor within #{limit} s"
        EM.stop
      end
      yield
    end
    flunk late if late
  ensure
    EM.error_handler(nil)
  end

  # Calls the block again and again in the reactor, and stops it when that gives something.
  def stop_once(&condition)
    return EM.stop if condition.call

    EM.add_timer(0.002) { stop_once(&condition) }
  end

  # EventMachine notices a detached descriptor only when it wakes up for something else.
  def keep_waking_up = EM.add_periodic_timer(0.01) { nil }

  # @return [Array(Integer, Integer)] signature and port of a server on {HOST}
  def serve(...)
    signature = EM.start_server(HOST, 0, ...)
    [signature, port_of(signature)]
  end

  def port_of(signature) = Socket.unpack_sockaddr_in(EM.get_sockname(signature)).first

  # The events of one connection of a log.
  def of(log, name) = log.filter_map { |who, event, *| event if who == name }

  # Raised on purpose.
  #
  # @return [Exception] what the block raises
  def raised_by
    yield
    flunk "nothing was raised"
  rescue Minitest::Assertion
    raise
  rescue Exception => e
    e
  end

  # Seconds a block takes.
  def seconds
    start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    yield
    Process.clock_gettime(Process::CLOCK_MONOTONIC) - start
  end

  # For what EventMachine does worse on purpose of ours.
  def not_of_eventmachine(how)
    skip "EventMachine #{how}" if ORACLE
  end

  # What a script writes that runs in a Ruby of its own, with EM.
  def output_of_em(script, **) = output_of_ruby(LOAD + script, **)

  # @return [Array(String, String, Process::Status)]
  def em_process(script, **) = ruby(LOAD + script, **)
end

Minitest::Test.include(EventMachineHelpers)
