# frozen_string_literal: true

# Has evented take EventMachine's place: programs and gems that `require "eventmachine"` afterwards get this one,
# unmodified.
module Evented
  # What the gem eventmachine can be loaded by: once we are here, none of it is.
  module ClaimedFeatures
    LIBRARY = %w[
      eventmachine jeventmachine em/buftok em/callback em/channel em/completion em/connection em/deferrable
      em/deferrable/pool em/file_watch em/future em/io_streamer em/iterator em/messages em/pool em/process_watch
      em/processes em/protocols em/pure_ruby em/queue em/resolver em/spawnable em/streamer em/threaded_resource
      em/tick_loop em/timers em/version
    ].freeze
    PROTOCOLS = %w[
      header_and_content httpclient httpclient2 line_and_text line_protocol linetext2 memcache object_protocol postgres3
      saslauth smtpclient smtpserver socks4 stomp tcptest
    ].map { |name| "em/protocols/#{name}" }.freeze
    EXTENSIONS = %w[rubyeventmachine fastfilereaderext].freeze

    # @raise [LoadError] if EventMachine is loaded already
    def self.claim
      if defined?(::EventMachine) && !::EventMachine.equal?(EM)
        raise LoadError, "EventMachine is loaded already: require \"evented/eventmachine\" before it, and before " \
                         "everything that requires it (thin, em-http-request …), best first of all in the Gemfile"
      end

      # A feature without a path is never looked for.
      names = (LIBRARY + PROTOCOLS).map { |name| "#{name}.rb" } + EXTENSIONS.map { |name| "#{name}.so" }
      $LOADED_FEATURES.concat(names - $LOADED_FEATURES)
    end
  end
  private_constant :ClaimedFeatures
end

require_relative "em"
module Evented
  ClaimedFeatures.claim
end

EventMachine = Evented::EM unless defined?(EventMachine)
EM = Evented::EM unless defined?(EM)
BufferedTokenizer = Evented::EM::BufferedTokenizer unless defined?(BufferedTokenizer)
