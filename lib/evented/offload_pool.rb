# frozen_string_literal: true

module Evented
  # Ruby threads that carry out what would block a reactor's own thread. They have to be Ruby threads: what Ruby
  # offloads (IO.copy_stream, for one) calls back into Ruby.
  #
  # @private
  class OffloadPool
    THREAD_NAME = "evented-offload"

    # As many as EventMachine has.
    @limit = 20
    @current = nil

    # A thread of a pool. Nothing interrupts it but where it waits for work; what it works on may allow more.
    class Worker < Thread
      # Whether it works for somebody now, who will hear from it.
      attr_accessor :busy
      alias busy? busy
    end

    class << self
      # How many threads the pool of this process has at most.
      attr_reader :limit

      # The pool of this process; a forked child has none of its parent's threads.
      #
      # @threadsafe yes: the worst that a race makes is a pool too many
      def current
        pool = @current
        pool&.pid == Process.pid ? pool : (@current = new(limit: @limit))
      end

      # @threadsafe yes
      def limit=(limit)
        @limit = limit
        @current.limit = limit if @current&.pid == Process.pid
      end

      # @return [Boolean] whether the current thread is one of a pool
      def inside? = Thread.current.instance_of?(Worker)

      # @return [Boolean] whether it is a thread of a pool that has nothing to do
      def idle?(thread) = thread.instance_of?(Worker) && !thread.busy?
    end

    # The process that the threads belong to.
    attr_reader :pid

    def initialize(limit: OffloadPool.limit)
      @pid = Process.pid
      @limit = limit
      # Pairs of what is to be called and who is told; or nil, to have a thread look whether there are too many.
      @work = Thread::Queue.new
      # How many pieces of work are not done, and how many threads there are.
      @pending = 0
      @threads = 0
      @lock = Lock.new
    end

    # Has `operation` called on a thread of the pool, and afterwards the block, with what it raised or nil.
    #
    # @param operation [#call]
    # @yieldparam error [Exception, nil]
    # @raise [ThreadError] if there is no thread, and none can be made
    # @threadsafe yes
    def submit(operation, &done)
      @lock.exclusively do
        @pending += 1
        grow
        @work << [operation, done]
      rescue ThreadError
        @pending -= 1
        raise
      end
    end

    # More threads come when there is work for them; those that are too many go when they have done theirs.
    #
    # @threadsafe yes
    def limit=(limit)
      @lock.exclusively do
        @limit = limit
        grow while @threads < [@pending, @limit].min
        (@threads - @limit).times { @work << nil }
      end
    end

    private

    # Work that waits is reason for another thread, as long as there may be one more.
    def grow
      return if @threads >= [@pending, @limit].min

      Worker.new { serve }.name = THREAD_NAME
      @threads += 1
    rescue ThreadError
      raise if @threads.zero?
    end

    def serve
      Thread.handle_interrupt(Object => :on_blocking) do
        loop do
          work = @work.pop
          carry_out(*work) if work
          break if too_many?
        end
        over = true
      ensure
        lost unless over
      end
    end

    def carry_out(operation, done)
      Thread.current.busy = true
      failure = Error.new("the thread that worked on this was killed")
      begin
        operation.call
        failure = nil
      rescue Exception => e # rubocop:disable Lint/RescueException
        failure = e
      end
    ensure
      @lock.exclusively { @pending -= 1 }
      Thread.current.busy = false
      done.call(failure)
    end

    def too_many?
      @lock.exclusively { @threads > @limit && @threads -= 1 }
    end

    # Somebody killed the thread: another one does what it can't do any more.
    def lost
      @lock.exclusively do
        @threads -= 1
        grow
      rescue ThreadError
        nil # the process ends
      end
    end
  end
  private_constant :OffloadPool
end
