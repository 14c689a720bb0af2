# frozen_string_literal: true

module Evented
  module EM
    module Deferrable # rubocop:disable Style/Documentation
      warn "EM::Deferrable::Pool is deprecated, please use EM::Pool"

      # Deprecated name of {EM::Pool}.
      Pool = EM::Pool
    end
  end
end
