# frozen_string_literal: true

module Evented
  module EM
    module Deferrable
      # Deprecated name of {EM::Pool}.
      Pool = EM::Pool
    end
  end
end
