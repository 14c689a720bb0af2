# frozen_string_literal: true

# For tests of EM: a reactor that is given up if nobody stops it.
module EMRunning
  # @return [void]
  def teardown
    super
    EM.error_handler
    EM.cleanup_machine
  end

  private

  # Runs a reactor until it is stopped.
  #
  # @param deadline [Numeric] seconds
  def em(deadline: 20, &block)
    EM.run do
      EM.add_timer(deadline) { flunk "nobody has stopped the reactor within #{deadline} s" }
      block.call
    end
  end

  # Runs the block and what it has called in the passes that follow, as long as the last ones.
  #
  # @param count [Integer] of passes
  def passes(count = 3, &block)
    em do
      block&.call
      left = count
      again = -> { (left -= 1).zero? ? EM.stop : EM.next_tick(again) }
      EM.next_tick(again)
    end
  end
end
