# frozen_string_literal: true

desc "Run all benchmarks and keep the results"
task bench: "bench:micro"

namespace :bench do
  desc "Time a switch, a spawn, queues, sockets and sleepers, beside the floor and the peers; keep the results"
  task micro: :compile do
    ruby "bench/run.rb", "micro", "--save"
  end

  desc "Run every benchmark once, briefly, to see that it still runs"
  task smoke: :compile do
    ruby "bench/run.rb", "micro", "--smoke"
  end
end
