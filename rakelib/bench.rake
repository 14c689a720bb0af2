# frozen_string_literal: true

cases = Dir[File.expand_path("../bench/cases/*.rb", __dir__)].map { |file| File.basename(file, ".rb") }.sort

desc "Run all benchmarks, beside the floors and the peers, and keep the results (under 15 minutes)"
task bench: :compile do
  ruby "bench/run.rb", "--save"
end

namespace :bench do
  cases.each do |name|
    measures = File.read(File.expand_path("../bench/cases/#{name}.rb", __dir__))[/measures "(.*?)[";]/, 1]
    desc "Measure: #{measures}"
    task name => :compile do
      ruby "bench/run.rb", name, "--rounds", "5", "--save"
    end
  end

  desc "Measure: streams of a language model into PostgreSQL by Active Record, on threads, evented and Async"
  task llm: :compile do
    ruby "bench/llm/run.rb", "--rounds", "5", "--save"
  end

  desc "Run every benchmark once, briefly, to see that it still runs"
  task smoke: :compile do
    ruby "bench/run.rb", "--smoke"
    ruby "bench/llm/run.rb", "--smoke"
  end

  desc "Show where the CPU time of one request goes, by perf and strace"
  task :profile, %i[subject connections] => :compile do |_, arguments|
    ruby "bench/profile.rb", arguments[:subject] || "evented uring", arguments[:connections] || "64"
  end

  desc "Measure the core alone, by Criterion"
  task :core do
    sh "cargo", "bench", "--locked", "-p", "evented-core"
  end

  desc "Count instructions of the hottest paths, by callgrind, and compare them with those kept"
  task instructions: :compile do
    ruby "bench/instructions.rb"
  end

  desc "Count them and keep them"
  task "instructions:keep": :compile do
    ruby "bench/instructions.rb", "--keep"
  end
end
