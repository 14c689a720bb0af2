# frozen_string_literal: true

require "etc"

module Evented
  # Ruby threads that carry out what would block a reactor's own thread. They have to be Ruby threads: what Ruby
  # offloads (IO.copy_stream, for one) calls back into Ruby.
  #
  # @private
  class OffloadPool
    THREAD_NAME = "evented-offload"

    @current = nil

    class << self
      # The pool of this process; a forked child has none of its parent's threads.
      #
      # @threadsafe yes: the worst that a race makes is a pool too many
      def current
        pool = @current
        pool&.pid == Process.pid ? pool : (@current = new)
      end
    end

    # The process that the threads belong to.
    attr_reader :pid

    def initialize(limit: Etc.nprocessors)
      @pid = Process.pid
      @limit = limit
      @work = Thread::Queue.new
      @threads = 0
    end

    # Has `operation` called on a thread of the pool, and afterwards the block, with what it raised or nil.
    #
    # @param operation [#call]
    # @yieldparam error [Exception, nil]
    # @threadsafe yes
    def submit(operation, &done)
      @work << [operation, done]
      return if @work.num_waiting.positive? || @threads >= @limit

      @threads += 1
      Thread.new { serve }.name = THREAD_NAME
    end

    private

    def serve
      while (operation, done = @work.pop)
        failure = nil
        begin
          operation.call
        rescue Exception => e # rubocop:disable Lint/RescueException
          failure = e
        ensure
          done.call(failure)
        end
      end
    end
  end
  private_constant :OffloadPool
end
