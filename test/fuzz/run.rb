# frozen_string_literal: true

# `run.rb KIND COUNT SEED`: one process of random trials. It fails by its status if a trial fails, if anything warns, if
# it hangs, and if Ruby does not survive the end.

require_relative "../support/no_warnings"
require_relative "../support/watchdog"

kind, count, seed = ARGV
require_relative kind
trials = { "cancel" => "Cancel" }.fetch(kind).then { |name| Fuzz.const_get(name) }
begin
  report = Watchdog.watch("fuzz:#{kind} with SEED=#{seed}", 300) { trials.run(Integer(count), Integer(seed)) }
  puts "#{Evented.driver}, SEED=#{seed}: #{report}"
  puts report.weapons.map { |weapon, times| "  #{weapon[/\w+\z/]} #{times}" }.join
rescue trials::Failure => e
  abort e.message
end
NoWarnings.check
