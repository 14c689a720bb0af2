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

  desc "Run every benchmark once, briefly, to see that it still runs"
  task smoke: :compile do
    ruby "bench/run.rb", "--smoke"
  end
end
