# frozen_string_literal: true

require "evented"

# Three ways to make `count` calls. The calls are the same in all of them: nothing in work.rb knows who makes them.
module Contenders
  module_function

  def one_by_one(count, &)
    count.times(&)
  end

  def threads(count, size)
    numbers = Queue.new
    count.times { |number| numbers << number }
    numbers.close

    workers = Array.new(size) do
      Thread.new { while (number = numbers.pop) do yield number end }
    end
    workers.each(&:join)
  end

  # One thread, and a fiber a call: while one waits for its answer, the others go on.
  def evented(count)
    Evented do
      count.times { |number| Evented { yield number } }
    end
  end
end
