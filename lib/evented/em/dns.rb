# frozen_string_literal: true

module Evented
  module EM
    # Looking up names without anybody waiting: {DNS::Resolver.resolve}. ({EM.connect} looks up by itself, with all that
    # the system knows of names.)
    module DNS
      # A question with this id is open already.
      class RequestIdAlreadyUsed < RuntimeError; end
    end
  end
end

require_relative "dns/request"
require_relative "dns/resolver"
require_relative "dns/socket"
