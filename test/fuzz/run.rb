# frozen_string_literal: true

# `run.rb KIND COUNT SEED`: one process of random trials. Fails by its status if one fails, if anything warns, if it
# hangs, and if Ruby does not survive the end.

require_relative "../support/watchdog"

# Whatever warns is a failure, and told at once.
module NoWarnings
  @count = 0

  class << self
    attr_accessor :count
  end

  def warn(message, ...)
    NoWarnings.count += 1
    $stderr.write(message)
  end
end
Warning.singleton_class.prepend(NoWarnings)

kind, count, seed = ARGV
require_relative kind
trials = { "cancel" => "Cancel" }.fetch(kind).then { |name| Fuzz.const_get(name) }
begin
  report = Watchdog.watch("fuzz:#{kind} with SEED=#{seed}", 300) { trials.run(Integer(count), Integer(seed)) }
  puts "#{Evented.driver}, SEED=#{seed}: #{report}"
rescue trials::Failure => e
  abort e.message
end
abort "#{NoWarnings.count} warnings" unless NoWarnings.none?
