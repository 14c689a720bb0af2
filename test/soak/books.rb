# frozen_string_literal: true

module Soak
  # What was sent, what arrived, and what was done to those who were at it, by kind of job.
  class Books
    Account = Struct.new(:done, :cut_short, :sent, :received)

    # Bytes whose order tells where in a stream they stand.
    def self.bytes(from, count)
      first = from / 4
      [*first..((from + count) / 4)].pack("N*").byteslice(from - (first * 4), count)
    end

    attr_reader :accounts, :faults, :mismatches

    def initialize
      @accounts = Hash.new { |hash, kind| hash[kind] = Account.new(0, 0, 0, 0) }
      @faults = Hash.new { |hash, fault| hash[fault] = Hash.new(0) }
      @mismatches = []
      # The servers' thread writes too.
      @lock = Thread::Mutex.new
    end

    def moved(kind, sent:, received:)
      @lock.synchronize do
        account = @accounts[kind]
        account.sent += sent
        account.received += received
      end
      mismatch(kind, "#{sent} bytes were sent and #{received} arrived") unless sent == received
    end

    # @param outcome [String] what came of it
    def fault(fault, outcome) = @lock.synchronize { @faults[fault][outcome] += 1 }

    def done(kind) = @accounts[kind].done += 1
    def cut_short(kind) = @accounts[kind].cut_short += 1
    def mismatch(kind, what) = @lock.synchronize { @mismatches << "#{kind}: #{what}" }

    # Whether these are the bytes from there on.
    def check(kind, bytes, from = 0)
      return true if bytes.b == Books.bytes(from, bytes.bytesize)

      mismatch(kind, "the bytes from #{from} on have changed")
      false
    end
  end
end
