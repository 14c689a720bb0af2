# frozen_string_literal: true

Bench.define do
  measures "system(\"true\") by 10 fibers; one operation is one process, started and waited for"
  operations 200

  run_them = proc { |count| count.times { system("true") or raise "it failed" } }

  floor("one after the other, without a scheduler", &run_them)
  tasks { |count| Array.new(10) { Evented { run_them.call(count / 10) } }.each(&:wait) }
  async { |count| Array.new(10) { Async { run_them.call(count / 10) } }.each(&:wait) }
  threads { |count| Array.new(10) { Thread.new { run_them.call(count / 10) } }.each(&:join) }
end
