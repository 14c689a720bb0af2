# frozen_string_literal: true

# Child processes side by side: backticks, Open3, system and a pipe to talk over, all of which wait.
#
#     ruby -Ilib examples/subprocesses.rb

require "evented"
require "open3"

results = {}
started = Process.clock_gettime(Process::CLOCK_MONOTONIC)

Evented do
  Evented { results[:backtick] = `sleep 0.3; echo hello`.chomp }
  Evented { results[:capture] = Open3.capture2("sleep 0.3; tr a-z A-Z", stdin_data: "shout").first }
  Evented { results[:status] = [system("sleep 0.3; exit 3"), Process.last_status.exitstatus] }
  Evented do
    IO.popen(["cat"], "r+") do |cat|
      results[:conversation] = Array.new(3) do |number|
        cat.puts("line #{number}")
        cat.gets.chomp
      end
    end
  end
end

seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
expected = { backtick: "hello", capture: "SHOUT", status: [false, 3], conversation: ["line 0", "line 1", "line 2"] }
abort "expected #{expected}, got #{results}" unless results == expected
puts format("four child processes, three of which slept 0.3 s, in %.2f s", seconds)
