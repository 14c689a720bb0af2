# frozen_string_literal: true

require_relative "../servers/tls"
require "socket"

Bench.define do
  measures "16 KiB from one fiber to another, as TLS (OpenSSL::SSL::SSLSocket) over a socketpair"
  operations 10_000

  block = "x" * 16_384
  connected = lambda do
    near, far = UNIXSocket.pair.zip([TLS.client, TLS.server]).map { |io, context| OpenSSL::SSL::SSLSocket.new(io, context) }
    accepting = Thread.new { far.accept }
    near.connect
    accepting.join
    [near, far]
  end

  receive = lambda do |far, count|
    left = count * block.bytesize
    buffer = String.new(capacity: block.bytesize)
    left -= far.readpartial(block.bytesize, buffer).bytesize while left.positive?
  end

  floor "the same writes and reads by turns, without a scheduler" do |count, run|
    near, far = connected.call
    run.measure do
      count.times do
        near.write(block)
        receive.call(far, 1)
      end
    end
  end

  rally = lambda do |count, run, start|
    near, far = connected.call
    run.start
    start.call { count.times { near.write(block) } }
    start.call do
      receive.call(far, count)
      run.stop
    end
  end

  scheduler { |count, run| rally.call(count, run, Fiber.method(:schedule)) }

  threads do |count, run|
    all = []
    rally.call(count, run, ->(&work) { all << Thread.new(&work) })
    all.each(&:join)
  end

  %w[Async threads].each { |peer| goal "evented", at_most: 1, times: peer }
end
