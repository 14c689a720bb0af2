# frozen_string_literal: true

# `run.rb SECONDS`: soaks, tells what came of it as the tables of docs/reliability.md, and fails if anything did not
# match or warned.

require_relative "../soak"
require_relative "../support/no_warnings"

result = Soak.run(Float(ARGV.fetch(0, 60)))
books = result.books
puts "#{Evented.driver}, #{result.seconds.round} s: " \
     "#{books.mismatches.size} mismatches, #{NoWarnings.told.size} warnings"
puts books.mismatches.tally.map { |mismatch, times| "  #{times} × #{mismatch}" }.first(20)
puts "", "| job | done | cut short | bytes sent | bytes received |", "|---|--:|--:|--:|--:|"
books.accounts.sort.each { |kind, account| puts "| #{[kind, *account].join(" | ")} |" }
puts "", "| fault | times | outcome |", "|---|--:|---|"
books.faults.sort.each do |fault, outcomes|
  outcomes.sort.each { |outcome, times| puts "| #{fault} | #{times} | #{outcome} |" }
end
last = result.memory.samples.last
puts "", "RSS over the time, MiB: #{result.memory.course.join(", ")}. At the end #{last.descriptors} descriptors, " \
         "#{last.fibers} fibers, #{last.threads} threads."
puts "Parks #{result.stats[:parks]}, operations #{result.stats[:submitted]}, cancelled #{result.stats[:cancelled]}, " \
     "rows in PostgreSQL #{result.rows || "none: it is not installed"}."
NoWarnings.check
exit 1 if books.mismatches.any?
