# frozen_string_literal: true

Bench.define do
  measures "TCP echo of 64 bytes on 64 connections beside 10,000 that do nothing; what one message costs the server"
  variants 10_000, of: "idle connections", smoke: 200
  rounds 2
  serves :echo

  under_load do |server, idle, seconds|
    Bench::Load.hold(server, idle) do
      Bench::Load.echo(server, connections: 64, size: 64, seconds: seconds)
    end
  end
end
