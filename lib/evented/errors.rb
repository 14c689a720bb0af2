# frozen_string_literal: true

require "timeout"

module Evented
  # What evented itself raises. Failures of the system stay `Errno::*`, misuse of an IO stays IOError.
  class Error < StandardError
    # TimeoutError has to be a Timeout::Error, and so can't inherit from this; `rescue Evented::Error` finds it all
    # the same.
    #
    # @private
    def self.===(other) = super || (equal?(Error) && TimeoutError === other) # rubocop:disable Style/CaseEquality
  end

  # The time that {Evented.timeout} gave has passed. Also a Timeout::Error.
  class TimeoutError < ::Timeout::Error; end

  # The scheduler has been closed.
  class ClosedError < Error; end

  # The scheduler, or the task, belongs to another thread.
  class WrongThreadError < Error; end

  # An internal error made the scheduler unusable.
  class PoisonedError < Error; end

  # The system has no room for another fiber's stack.
  class FiberLimitError < Error; end

  # Nothing can ever end any wait of this reactor. The message holds the tree of tasks: what waits for what.
  class Deadlock < Error; end

  # Several tasks of one parent failed. The first is its `cause`.
  class MultipleErrors < Error
    # @return [Array<Exception>] all of them, in the order in which they came
    attr_reader :errors

    # @param errors [Array<Exception>]
    def initialize(errors)
      @errors = errors.freeze
      super("#{errors.size} failures:\n#{errors.map { |error| "- #{error.class}: #{error.message}" }.join("\n")}")
    end

    # @return [Exception] the first
    def cause = @errors.first
  end

  # Raised in a task that is to stop, where it waits. Not a StandardError, so that `rescue => error` lets it pass;
  # `ensure` runs as always.
  class Cancel < Exception # rubocop:disable Lint/InheritException
    # @return [Object, nil] what was given to {Task#cancel}
    attr_reader :reason
    # @return [Thread::Backtrace::Location, nil] where that was called
    attr_reader :site

    # @param reason [Object, nil]
    # @param site [Thread::Backtrace::Location, nil]
    # @param cause [Exception, nil]
    def initialize(reason = nil, site: nil, cause: nil)
      @reason = reason
      @site = site
      @because = cause
      super(["cancelled", reason && ": #{reason}", site && " (by #{site})"].join)
    end

    # @return [Exception, nil] the failure that led to it, if one did
    def cause = @because || super
  end

  # Passes through a block whose time is up, past all rescue clauses for StandardError, and is turned into the
  # error that was asked for where it leaves {Evented.timeout}.
  #
  # @private
  class Expiry < Exception # rubocop:disable Lint/InheritException
    attr_reader :mark

    def initialize(mark)
      @mark = mark
      super("the time is up")
    end
  end
  private_constant :Expiry
end
