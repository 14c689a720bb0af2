# frozen_string_literal: true

Bench.define do
  measures "TCP echo of 64 bytes on 50 connections at a fixed rate, whether it keeps up or not: how long one takes"
  variants 5_000, 20_000, of: "messages a second"
  about :p99
  serves :echo

  under_load do |server, rate, seconds|
    Bench::Load.echo(server, connections: 50, size: 64, seconds: seconds, rate: rate)
  end
end
