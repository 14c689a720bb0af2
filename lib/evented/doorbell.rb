# frozen_string_literal: true

module Evented
  # One fiber that waits for something, and whoever has brought it about rings.
  #
  # @private
  class Doorbell
    # @param object [Object] what {Evented.dump} says that it waits for
    def initialize(object)
      @object = object
      # Who waits, and in which reactor.
      @fiber = nil
      @scheduler = nil
    end

    # Waits until the block, which is asked again at each ring, says so.
    #
    # @suspends unless it does at once
    def wait_until
      until yield
        @scheduler = Fiber.scheduler
        @fiber = Fiber.current
        begin
          @scheduler.block(@object, nil)
        ensure
          @fiber = nil
        end
      end
    end

    # @return [void]
    def ring
      @scheduler.unblock(@object, @fiber) if @fiber
    end
  end
  private_constant :Doorbell
end
