# frozen_string_literal: true

module Evented
  # A fiber or a thread that waits to be handed something: by any thread, once. Ruby's queue knows how to wait in both.
  #
  # @private
  class Waiter < Thread::Queue
    # What it was handed.
    attr_reader :value

    # What it waits at, for {Evented.dump}.
    attr_reader :place

    def initialize(place)
      super()
      @place = place
      @pid = Process.pid
      @handed = false
    end

    # Whether something was handed over, be it that nobody could take it any more.
    def handed? = @handed

    # Whether it can still take anything: in a forked child those of the parent can't.
    def here? = @pid == Process.pid

    # Whether others were handed the same, so that it need not be passed on.
    def for_all? = @for_all

    # @threadsafe yes, but for one caller at a time
    def hand(value, for_all: false)
      @value = value
      @for_all = for_all
      @handed = true
      push(true)
    end

    # @yield when the time is up; without a block that raises
    # @return [Object] what was handed over, or the block's value
    # @raise [Evented::TimeoutError]
    # @suspends until then
    def await(timeout)
      scheduler = Fiber.current_scheduler if timeout
      in_time = if scheduler.is_a?(Scheduler)
                  # Also in virtual time, which Ruby does not know.
                  Evented.__send__(:limited, scheduler, timeout, proc { pop }) { nil }
                else
                  pop(timeout: timeout)
                end
      # What was handed over at the very moment at which the time was up is not lost.
      return @value if in_time || @handed

      block_given? ? yield : raise(TimeoutError, "waited #{timeout} s in vain: #{@place.inspect}")
    end
  end
  private_constant :Waiter
end
