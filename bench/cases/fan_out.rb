# frozen_string_literal: true

require "net/http"

Bench.define do
  measures "1,000 Net::HTTP.get at once from a loop in C beside it; one operation is one request with its connection"
  operations 1_000

  beside do |use|
    Bench::Load.beside([Bench::Commands.floor("epoll"), "http"]) do |port|
      use.call("BENCH_URL" => "http://127.0.0.1:#{port}/")
    end
  end

  url = URI(ENV.fetch("BENCH_URL", "http://127.0.0.1/"))
  get = proc { Net::HTTP.get(url).size == 13 or raise "that was not the answer" }

  floor("one after the other") { |count| count.times { get.call } }
  tasks { |count| Array.new(count) { Evented(&get) }.each(&:wait) }
  async { |count| Array.new(count) { Async(&get) }.each(&:wait) }
  threads { |count| Array.new(count) { Thread.new(&get) }.each(&:join) }

  %w[Async threads].each { |peer| goal "evented", at_most: 1, times: peer }
end
