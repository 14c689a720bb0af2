# frozen_string_literal: true

require "socket"

# Runs EventMachine's reactor, ours or the other one, for a test.
module EMReactor
  private

  # Runs the block in the reactor until something stops it.
  #
  # @param limit [Numeric] seconds, after which the test fails
  def in_em(limit: 8)
    late = false
    EM.run do
      timer = EM.add_timer(limit) do
        late = true
        EM.stop
      end
      yield timer
    end
    refute late, "nothing stopped the reactor within #{limit} s"
  end

  # @return [Integer] the port of a server
  def em_port(signature) = Socket.unpack_sockaddr_in(EM.get_sockname(signature)).first

  # Runs a server, and the block in a thread.
  #
  # @yieldparam port [Integer]
  # @return [Object] the block's value
  def with_em_server(handler, *arguments, setup: nil)
    value = nil
    in_em do
      port = em_port(EM.start_server("127.0.0.1", 0, handler, *arguments, &setup))
      thread = Thread.new { yield port }
      thread.report_on_exception = false
      # The thread's end stops the reactor.
      Thread.new { thread.join rescue nil; EM.next_tick { EM.stop } } # rubocop:disable Style/RescueModifier,Style/Semicolon
      value = thread
    end
    value.value
  end
end
