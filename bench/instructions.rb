# frozen_string_literal: true

# Instructions of the hottest paths against those that are kept: ruby bench/instructions.rb [--keep], or
# `rake bench:instructions`. Fails if a path takes noticeably more.

require_relative "harness"
require_relative "harness/instructions"

unless Bench::Commands.program?("valgrind")
  warn "bench: instructions are counted by valgrind, which is not there"
  exit
end

begin
  found = Bench::Instructions.new { |what| warn "bench: instructions of #{what}" }
rescue Bench::Failure => e
  abort "bench: #{e.message}"
end

change = ->(now, before) { before ? format("%+.1f %%", (now.fdiv(before) - 1) * 100) : "–" }
number = ->(count) { count ? Bench::Markdown.number(count) : "–" }
rows = found.rows.map do |name, subject, now, before|
  [name, subject, number.call(now), number.call(before), change.call(now, before)]
end
puts Bench::Markdown.table([["case", "subject", "instructions an operation", "kept", "change"], *rows])
if ARGV.include?("--keep")
  found.keep
elsif found.kept.nil?
  puts "\nNothing is kept for this Ruby, processor and valgrind: bundle exec rake bench:instructions:keep"
else
  more = found.rows.select { |_, _, now, before| before && now > before * (1 + Bench::Instructions::TOLERANCE) }
  abort "bench: more instructions than kept: #{more.map { |row| row.first(2).join(" on ") }.join(", ")}" if more.any?
end
