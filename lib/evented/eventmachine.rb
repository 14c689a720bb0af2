# frozen_string_literal: true

# Has evented take EventMachine's place: what requires "eventmachine" afterwards, such as a gem that was written for it,
# gets this one, unmodified. Require it before those gems; in a Gemfile, put it first:
#
#     gem "evented", require: "evented/eventmachine"

require_relative "em"

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
      taken = %i[EventMachine EM].find { |name| Object.const_defined?(name) && !Object.const_get(name).equal?(EM) }
      if taken
        raise LoadError, "::#{taken} is there already, and it is not evented's. Require \"evented/eventmachine\" " \
                         "before \"eventmachine\" and all that requires it, such as thin; in a Gemfile, put " \
                         "gem \"evented\", require: \"evented/eventmachine\" first"
      end

      # Ruby does not look for a feature that stands in this list without a path.
      names = (LIBRARY + PROTOCOLS + EXTENSIONS).map { |name| "#{name}.rb" } + EXTENSIONS.map { |name| "#{name}.so" }
      $LOADED_FEATURES.concat(names - $LOADED_FEATURES)
    end
  end
  private_constant :ClaimedFeatures

  ClaimedFeatures.claim
end

EventMachine = Evented::EM unless defined?(EventMachine)
EM = Evented::EM unless defined?(EM)
BufferedTokenizer = Evented::EM::BufferedTokenizer unless defined?(BufferedTokenizer)
