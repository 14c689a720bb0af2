# frozen_string_literal: true

require "socket"

Bench.define do
  measures "A fiber sleeps 1 ms again and again beside two that pass 64 bytes to and fro without end: how late it wakes"
  about :p99
  operations 500

  chat = lambda do |near, far, first|
    message = "x" * 64
    near.write(message) if first
    loop { near.readpartial(64) && near.write(message) }
  rescue IOError, Errno::EPIPE, Errno::ECONNRESET
    far.close unless far.closed?
  end

  ticks = lambda do |count, run|
    now = -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) }
    late = Array.new(count) do
      started = now.call
      sleep 0.001
      (now.call - started - 0.001) * 1e6
    end.sort
    run.report(p50: late[count / 2], p99: late[(count * 0.99).to_i], highest_latency: late.last)
  end

  beside_chat = lambda do |count, run, start|
    near, far = UNIXSocket.pair
    chatting = [start.call { chat.call(near, far, true) }, start.call { chat.call(far, near, false) }]
    ticks.call(count, run)
    near.shutdown
    chatting
  end

  floor("the same without the two, and without a scheduler", &ticks)
  scheduler { |count, run| beside_chat.call(count, run, Fiber.method(:schedule)) }
  threads { |count, run| beside_chat.call(count, run, Thread.method(:new)).each(&:join) }
end
