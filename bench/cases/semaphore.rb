# frozen_string_literal: true

Bench.define do
  measures "A semaphore that nobody else wants, acquired and released"
  operations 400_000, floor: 4_000_000

  floor "a Mutex, locked and unlocked" do |count|
    mutex = Mutex.new
    count.times do
      mutex.lock
      mutex.unlock
    end
  end

  tasks do |count|
    semaphore = Evented::Semaphore.new(1)
    count.times do
      semaphore.acquire
      semaphore.release
    end
  end

  async do |count|
    semaphore = Async::Semaphore.new(1)
    count.times do
      semaphore.acquire
      semaphore.release
    end
  end
end
