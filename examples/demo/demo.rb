# frozen_string_literal: true

# The main job: 1,000 HTTP requests and 200 database queries, all of which wait 100 ms, on one thread.
#
# The work (http_work.rb, pg_work.rb) is plain Net::HTTP and pg. Three contenders (contenders.rb) do it: one call after
# the other, 25 threads, and evented. `bin/demo --help` lists the options.

require "evented"
require "optparse"
require_relative "../../test/support/delayed_server"
require_relative "../../test/support/throwaway_postgres"
require_relative "contenders"
require_relative "http_work"
require_relative "measurement"
require_relative "pg_work"
require_relative "report"

trap(:INT) { exit(130) }

options = { requests: 1_000, queries: 200, connections: 20, threads: 25, delay: 0.1, sample: 5 }
usage = OptionParser.new do |parser|
  parser.banner = "Usage: bin/demo [options]"
  parser.on("--requests N", Integer, "HTTP requests (#{options[:requests]})")
  parser.on("--queries N", Integer, "SQL queries (#{options[:queries]})")
  parser.on("--connections N", Integer, "connections to PostgreSQL (#{options[:connections]})")
  parser.on("--threads N", Integer, "threads of the second contender (#{options[:threads]})")
  parser.on("--delay SECONDS", Float, "what every answer takes (#{options[:delay]})")
  parser.on("--sample N", Integer, "calls from which one by one is estimated (#{options[:sample]})")
  parser.on("--[no-]postgres", "leave the SQL half out, or insist on it")
  parser.on("--json", "print the figures as JSON")
end
begin
  usage.parse!(into: options)
  bad = options.find { |_, value| value.is_a?(Numeric) && !value.positive? }
  raise OptionParser::InvalidArgument, "--#{bad.join(" ")} (must be positive)" if bad
rescue OptionParser::ParseError => e
  abort "bin/demo: #{e.message}\n\n#{usage}"
end

# A thousand connections need a thousand descriptors; the usual soft limit is 1,024.
Process.setrlimit(:NOFILE, Process.getrlimit(:NOFILE).last)

# Every contender works in a process of its own: its memory and CPU time are its own too.
measure = lambda do |work|
  sample = Measurement.of("one by one", work, [options[:sample], work.size].min) do |count, call|
    Contenders.one_by_one(count, &call)
  end
  {
    one_by_one: sample.extrapolate(work.size),
    threads: Measurement.of("threads", work) { |count, call| Contenders.threads(count, options[:threads], &call) },
    evented: Measurement.of("evented", work) { |count, call| Contenders.evented(count, &call) }
  }
end

begin
  report = Report.new(threads: options[:threads])
rescue Evented::Error => e # EVENTED_DRIVER asks for a driver that is not to be had
  abort "bin/demo: #{e.message}"
end

DelayedServer.open(delay: options[:delay]) do |server|
  work = HttpWork.new(server.url, options[:requests])
  report.add(:http, "Net::HTTP.get, each answered after #{options[:delay]} s", measure.call(work))
end

missing = PgWork.missing
abort "bin/demo: #{missing}" if missing && options[:postgres]
if missing || options[:postgres] == false
  report.leave_out(:postgresql, options[:postgres] == false ? "not asked for" : missing)
else
  ThrowawayPostgres.open do |postgres|
    work = PgWork.new(postgres.conninfo, options[:queries], options[:connections], options[:delay])
    title = "SELECT pg_sleep(#{options[:delay]}) over #{options[:connections]} connections"
    report.add(:postgresql, title, measure.call(work))
  end
end

puts options[:json] ? report.to_json : report
report.failures.each { |failure| warn "bin/demo: #{failure}" }
exit report.failures.empty?
