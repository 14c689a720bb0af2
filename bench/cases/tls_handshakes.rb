# frozen_string_literal: true

require_relative "../servers/tls"
require "socket"

Bench.define do
  measures "TLS 1.3 handshakes (OpenSSL::SSL::SSLSocket) over socketpairs, 20 at once, both ends; one operation is one"
  operations 400

  wrap = ->(io, context) { OpenSSL::SSL::SSLSocket.new(io, context).tap { |ssl| ssl.sync_close = true } }

  floor "one at a time without a scheduler: both ends by turns, non-blocking" do |count|
    client = TLS.client
    count.times do
      near, far = UNIXSocket.pair
      waiting = { wrap.call(near, client) => :connect_nonblock, wrap.call(far, TLS.server) => :accept_nonblock }
      ends = waiting.keys
      until waiting.empty?
        waiting.reject! { |ssl, step| ssl.public_send(step, exception: false).is_a?(OpenSSL::SSL::SSLSocket) }
      end
      ends.each(&:close)
    end
  end

  together = lambda do |count, start|
    client = TLS.client
    Array.new(20) do
      start.call do
        (count / 20).times do
          near, far = UNIXSocket.pair
          accepting = start.call { wrap.call(far, TLS.server).tap(&:accept).close }
          wrap.call(near, client).tap(&:connect).close
          accepting
        end
      end
    end
  end

  scheduler { |count| together.call(count, Fiber.method(:schedule)) }

  threads do |count|
    all = Queue.new
    together.call(count, ->(&work) { Thread.new(&work).tap { |thread| all << thread } })
    all.pop.join until all.empty?
  end
end
