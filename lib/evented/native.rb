# frozen_string_literal: true

begin
  # A gem that was built for several Rubies has one directory for each.
  require_relative "#{RUBY_VERSION[/\d+\.\d+/]}/evented"
rescue LoadError
  require_relative "evented"
end

module Evented
  # @private
  module Native
    unless VERSION == Evented::VERSION
      raise LoadError, "evented #{Evented::VERSION} found a native extension of version #{VERSION}: " \
                       "build it again (rake compile, or reinstall the gem)"
    end
  end
  private_constant :Native
end
