# frozen_string_literal: true

Bench.define do
  measures "10,000 connections that have had one echo of 64 bytes and do nothing more: the server's resident memory"
  about :bytes
  variants 10_000, of: "idle connections", smoke: 200
  rounds 2
  serves :echo

  under_load { |server, connections, _| Bench::Load.hold(server, connections) }
end
