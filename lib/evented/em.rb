# frozen_string_literal: true

require "evented"

module Evented
  # EventMachine's API on evented's reactor: callbacks, deferrables, timers, TLS, protocols. Inside any callback,
  # blocking-style Ruby (Net::HTTP, pg, `sleep`, `Queue#pop`) lets the other connections go on.
  #
  # `require "evented/eventmachine"` makes it `::EventMachine` and `::EM` as well, for programs and gems that were written
  # for EventMachine.
  #
  # @example
  #   EM = Evented::EM
  #   EM.run do
  #     EM.start_server("127.0.0.1", 8081) do |connection|
  #       def connection.receive_data(data) = send_data(data)
  #     end
  #   end
  module EM
    # By signature; other libraries read them.
    @conns = {}
    @acceptors = {}
    @timers = {}
    @error_handler = nil

    extend Native::Streams
  end
end

require_relative "em/constants"
require_relative "em/errors"
require_relative "em/callback"
require_relative "em/deferrable"
require_relative "em/ticks"
require_relative "em/reactor"
require_relative "em/running"
require_relative "em/scheduling"
require_relative "em/defer"
require_relative "em/handlers"
require_relative "em/connection"
require_relative "em/servers"
require_relative "em/connecting"
require_relative "em/descriptors"
require_relative "em/datagrams"
require_relative "em/proxying"
require_relative "em/processes"
require_relative "em/file_watch"
require_relative "em/process_watch"
require_relative "em/socket_options"
require_relative "em/settings"
require_relative "em/tls"
require_relative "em/low_level"
require_relative "em/timer"
require_relative "em/bridges"
require_relative "em/completion"
require_relative "em/queue"
require_relative "em/channel"
require_relative "em/iterator"
require_relative "em/pool"
require_relative "em/tick_loop"
require_relative "em/threaded_resource"
require_relative "em/spawned_process"
require_relative "em/buffered_tokenizer"
require_relative "em/fast_file_reader"
require_relative "em/paced"
require_relative "em/file_streamer"
require_relative "em/io_streamer"
require_relative "em/system_command"
require_relative "em/deferrable_child_process"
require_relative "em/dns"
require_relative "em/protocols"
