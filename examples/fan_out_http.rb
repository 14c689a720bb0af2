# frozen_string_literal: true

# Many HTTP requests at a time, with plain Net::HTTP: the slowest answer is what all of them take together.
#
#     ruby -Ilib examples/fan_out_http.rb

require "evented"
require "net/http"
require_relative "../test/support/delayed_server" # a stand-in for a remote service: each answer takes 0.2 s

DelayedServer.open(delay: 0.2) do |server|
  pages = {}
  started = Process.clock_gettime(Process::CLOCK_MONOTONIC)

  Evented do
    50.times do |number|
      Evented { pages[number] = Net::HTTP.get(URI("#{server.url}/#{number}")) }
    end
  end

  seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
  wrong = (0...50).reject { |number| pages[number] == "answer to /#{number}\n" }
  abort "wrong or no answer for #{wrong.inspect}" if wrong.any?
  puts format("50 answers of 0.2 s each in %.2f s", seconds)
end
