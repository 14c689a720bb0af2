# frozen_string_literal: true

module Evented
  # Messages for one task, from any thread; from a signal handler too, if {Task#mailbox} was called before.
  #
  # @example
  #   printer = Evented { loop { puts Evented.receive } }
  #   printer.mailbox << "hello"
  class Mailbox
    # Several threads may ask for a task's mailbox at the same time, and it is made only then.
    LOCK = Lock.new
    private_constant :LOCK

    # @private
    def self.make(&) = LOCK.exclusively(&)

    # @private
    def initialize(task)
      @task = task
      # What has arrived; and what of it was looked at and left, in order, which only the task itself touches.
      @queue = Thread::Queue.new
      @left = []
    end

    # Leaves a message. What has not been received when the task ends is dropped with it.
    #
    # @param message [Object]
    # @return [self]
    # @raise [Evented::ClosedError] if the task has ended
    # @suspends no
    # @threadsafe yes
    def <<(message)
      unless @task.alive?
        raise ClosedError, "#{@task.inspect} has ended and receives nothing: ask task.alive? before, or rescue this"
      end

      @queue << message
      self
    end
    alias push <<

    # @return [Integer] how many messages have not been received
    # @threadsafe yes
    def size = @left.size + @queue.size

    # @return [Boolean] whether there are none
    # @threadsafe yes
    def empty? = size.zero?

    # @return [String]
    def inspect = "#<#{self.class} of #{@task.inspect} size=#{size}>"

    # Takes the first message, or the first for which the block is true; the others stay, in their order.
    #
    # @private
    def receive
      position = 0
      while true # rubocop:disable Style/InfiniteLoop -- loop would take a StopIteration of the block for its end
        # (It is put there before anybody is asked, so that no exception can lose it.)
        @left << @queue.pop if position >= @left.size
        return @left.delete_at(position) if !block_given? || yield(@left[position])

        position += 1
      end
    end
  end

  # (In task.rb: how it lives.)
  class Task
    # @return [Evented::Mailbox] what others write to, and {Evented.receive} reads
    # @threadsafe yes
    def mailbox = @mailbox || Mailbox.make { @mailbox ||= Mailbox.new(self) }
  end

  class << self
    # Takes the next message out of the current task's mailbox, or waits for one. With a block it is the first for which
    # that is true; the others stay, in their order.
    #
    # @example
    #   Evented.receive(timeout: 5) { |message| message in { type: :answer } }
    #
    # @param timeout [Numeric, nil] seconds to wait at most
    # @yieldparam message [Object]
    # @return [Object] the message
    # @raise [Evented::TimeoutError] if none has come in time
    # @raise [ArgumentError] if `timeout` is negative
    # @raise [TypeError] if it is no number
    # @raise [Evented::Error] outside of a reactor
    # @suspends unless there is one
    # @threadsafe each call is about the fiber that makes it
    def receive(timeout: nil, &)
      mailbox = Task.current.mailbox
      return mailbox.receive(&) if Arguments.timeout(timeout).nil?

      timeout(timeout, message: "no message has come within #{timeout} s") { mailbox.receive(&) }
    end
  end
end
