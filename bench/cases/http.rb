# frozen_string_literal: true

Bench.define do
  measures "A minimal HTTP answerer with keep-alive under wrk; what one request costs the server"
  needs "wrk"
  variants 64, 512, 5_000, of: "connections"
  serves :http

  under_load do |server, connections, seconds|
    # At so many, connecting alone takes a while.
    seconds *= 2 if connections > 1_000
    Bench::Load.wrk(server, connections: connections, seconds: seconds)
  end

  goal "evented", at_most: 1.2, times: "floor", at: 64
  goal "evented", at_most: 1.3, times: "floor", at: 512
  %w[EventMachine Node Async].each { |peer| goal "evented", at_most: 1, times: peer, at: [64, 512] }
  goal "evented EM", at_most: 0.75, times: "EventMachine", at: [64, 512]
  goal "evented EM", at_most: 1.12, times: "floor", at: 64
end
