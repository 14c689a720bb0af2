# frozen_string_literal: true

suites = {
  micro: "a switch, a spawn, queues, sockets and sleepers, under schedulers",
  tasks: "what tasks cost: spawn, wait, switch, queues, timeouts, semaphores, memory"
}

desc "Run all benchmarks and keep the results"
task bench: suites.keys.map { |name| "bench:#{name}" }

namespace :bench do
  suites.each do |name, what|
    desc "Measure #{what}; beside the floor and the peers; keep the results"
    task name => :compile do
      ruby "bench/run.rb", name.to_s, "--save"
    end
  end

  desc "Run every benchmark once, briefly, to see that it still runs"
  task smoke: :compile do
    suites.each_key { |name| ruby "bench/run.rb", name.to_s, "--smoke" }
  end
end
