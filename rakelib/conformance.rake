# frozen_string_literal: true

desc "Run CRuby's own test/fiber on both drivers"
task conformance: %w[conformance:uring conformance:poll]

namespace :conformance do
  %w[uring poll].each do |driver|
    desc "Run CRuby's own test/fiber on the #{driver} driver"
    task driver => :compile do
      sh({ "EVENTED_DRIVER" => driver }, RbConfig.ruby, "test/conformance/run.rb", verbose: false)
    end
  end

  desc "Run CRuby's test/fiber on CRuby's example scheduler: do the tests themselves work here?"
  task :reference do
    sh({ "CONFORMANCE_SCHEDULER" => "cruby" }, RbConfig.ruby, "test/conformance/run.rb", verbose: false)
  end
end
