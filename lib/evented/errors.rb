# frozen_string_literal: true

module Evented
  # What evented itself raises. Failures of the system stay `Errno::*`, misuse of an IO stays IOError.
  class Error < StandardError; end

  # The scheduler has been closed.
  class ClosedError < Error; end

  # The scheduler belongs to another thread.
  class WrongThreadError < Error; end

  # An internal error made the scheduler unusable.
  class PoisonedError < Error; end

  # The system has no room for another fiber's stack.
  class FiberLimitError < Error; end

  # Raised in a fiber that is to stop, where it waits. Not a StandardError, so that `rescue => error` lets it pass;
  # `ensure` runs as always.
  class Cancel < Exception; end # rubocop:disable Lint/InheritException
end
