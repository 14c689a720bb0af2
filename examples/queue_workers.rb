# frozen_string_literal: true

# A few workers and a queue that makes the producer wait when they fall behind: Ruby's own SizedQueue, on fibers.
#
#     ruby -Ilib examples/queue_workers.rb

require "evented"

jobs = SizedQueue.new(5)
squares = Queue.new
busy = most_busy = 0

Evented do
  4.times do
    Evented do
      while (number = jobs.pop) # nil once the queue is closed and empty
        most_busy = [most_busy, busy += 1].max
        sleep 0.01 # the work: anything that waits
        busy -= 1
        squares << (number**2)
      end
    end
  end

  20.times { |number| jobs << number }
  jobs.close
end

results = Array.new(squares.size) { squares.pop }
abort "lost work: #{results.inspect}" unless results.sort == Array.new(20) { |number| number**2 }
abort "#{most_busy} workers were busy at a time instead of 4" unless most_busy == 4
puts "20 jobs done by #{most_busy} workers at a time, their sum is #{results.sum}"
