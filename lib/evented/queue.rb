# frozen_string_literal: true

module Evented
  # What Ruby's queues lack, for those that are ours.
  #
  # @private
  module Queuing
    # Yields one item after another until the queue is closed and empty; what several call it for is shared out among
    # them.
    #
    # (A nil can't be told from the end if it is the very last item of a closed queue.)
    #
    # @yieldparam item [Object]
    # @return [self] or, without a block, an Enumerator
    # @suspends while the queue is empty and not closed
    # @threadsafe yes
    def each
      return enum_for(:each) unless block_given?

      until (item = pop).nil? && closed? && empty?
        yield item
      end
      self
    end

    # Timeouts that pass in virtual time too. Ruby measures its own itself. Only tests need this, and so only they pay:
    # it is prepended when virtual time is first asked for.
    module VirtualPop
      # @return [Object, nil]
      def pop(non_block = false, timeout: nil) # rubocop:disable Style/OptionalBooleanParameter
        return super unless Queuing.virtual?(non_block, timeout)

        Queuing.limited(timeout) { super() }
      end
      alias shift pop
      alias deq pop
    end

    # The same for what waits when it is full.
    module VirtualPush
      # @return [self, nil]
      def push(item, non_block = false, timeout: nil) # rubocop:disable Style/OptionalBooleanParameter
        return super unless Queuing.virtual?(non_block, timeout)

        Queuing.limited(timeout) { super(item) }
      end
      alias << push
      alias enq push
    end

    class << self
      # (Sent, because YARD takes a plain call for documentation.)
      def keep_virtual_time
        Queue.send(:prepend, VirtualPop)
        LimitedQueue.send(:prepend, VirtualPop, VirtualPush)
      end

      # Whether this is a wait with a timeout in a fiber of ours. Ruby refuses what makes no sense, and does not wait
      # for no time.
      def virtual?(non_block, timeout)
        !non_block && timeout.is_a?(Numeric) && timeout.positive? && Fiber.current_scheduler.is_a?(Scheduler)
      end

      # @return [Object, nil] the block's value, unless the time is up
      def limited(timeout, &)
        Evented.__send__(:limited, Fiber.current_scheduler, timeout, proc(&)) { return nil }
      end
    end
  end
  private_constant :Queuing

  # Ruby's own queue, which is made for threads and for fibers of any reactor, as fast as it is; and {#each}, and
  # `pop(timeout:)` that also works in {Testing.virtual_time}.
  #
  # @example
  #   jobs = Evented::Queue.new
  #   Evented { jobs.each { |job| work_on(job) } }
  #   jobs << "a job"
  #   jobs.close # ends the loop
  class Queue < Thread::Queue
    include Queuing
  end

  # Ruby's own queue with a limit, at which `push` waits; and {#each}, and `pop(timeout:)` and `push(timeout:)` that
  # also work in {Testing.virtual_time}.
  #
  # @example
  #   pages = Evented::LimitedQueue.new(10)
  #   Evented { urls.each { |url| pages << Net::HTTP.get(url) }.then { pages.close } }
  #   pages.each { |page| puts page.size }
  class LimitedQueue < Thread::SizedQueue
    include Queuing
  end
end
