# frozen_string_literal: true

suites = {
  micro: "a switch, a spawn, queues, sockets and sleepers, under schedulers",
  tasks: "what tasks cost: spawn, wait, switch, queues, timeouts, semaphores, memory"
}

desc "Run all benchmarks and keep the results"
task bench: [*suites.keys, :em].map { |name| "bench:#{name}" }

namespace :bench do
  suites.each do |name, what|
    desc "Measure #{what}; beside the floor and the peers; keep the results"
    task name => :compile do
      ruby "bench/run.rb", name.to_s, "--save"
    end
  end

  desc "Measure an HTTP answerer on EventMachine's API; beside EventMachine itself and C; keep the results"
  task em: :compile do
    ruby "bench/em/run.rb", "--save"
  end

  desc "Run every benchmark once, briefly, to see that it still runs"
  task smoke: :compile do
    suites.each_key { |name| ruby "bench/run.rb", name.to_s, "--smoke" }
    ruby "bench/em/run.rb", "--smoke"
  end
end
