# frozen_string_literal: true

# What EventMachine's API costs on evented, on EventMachine itself (as shipped it waits with select, and with epoll once
# that has been asked for), and what the same costs in C: ruby bench/em/run.rb, or `rake bench:em`.
#
# The server has one core, wrk another; within a round the subjects take turns.

require "json"
require "optparse"
require_relative "../harness"
require_relative "answering"
require_relative "idle"
require_relative "report"
require_relative "requests"

options = { rounds: 5, seconds: 3, connections: [64, 512], idle: 50_000 }
usage = OptionParser.new do |parser|
  parser.banner = "Usage: ruby bench/em/run.rb [options]"
  parser.on("--rounds N", Integer, "samples of each subject (#{options[:rounds]})")
  parser.on("--seconds N", Integer, "how long one takes (#{options[:seconds]})")
  parser.on("--connections N,…", Array, "busy ones (#{options[:connections].join(",")})") { |list| list.map(&:to_i) }
  parser.on("--idle N", Integer, "idle ones; 0 for none (#{options[:idle]})")
  parser.on("--only SUBJECT,…", Array, "these subjects only")
  parser.on("--smoke", "each once, with little work: does it still run?")
  parser.on("--save", "write bench/results/em.json and .md")
end
begin
  usage.parse!(into: options)
rescue OptionParser::ParseError => e
  abort "bench: #{e.message}\n\n#{usage}"
end
options[:connections] = options[:connections].map { |number| Integer(number) }
options.update(rounds: 1, seconds: 1, connections: [64], idle: 1_000) if options[:smoke]

unless Bench::Answering.program?("wrk") && File.exist?("/proc/self/stat")
  message = "bench: em needs wrk (a package of that name) and Linux's /proc; it is left out"
  options[:smoke] ? (warn(message) || exit) : abort(message)
end

subjects = Bench::Answering::SUBJECTS
subjects = subjects.select { |subject| options[:only].include?(subject.name) } if options[:only]
notes = subjects.to_h { |subject| [subject.name, Bench::Answering.missing(subject)] }.compact
report = Bench::Report.new(notes)
failed = []

# A peer that can't do it is left out with a note; what is ours must not fail.
measure = lambda do |subject, kase, count = nil, &block|
  next if notes[subject.name] || failed.include?([subject, kase])

  warn "bench: #{kase}: #{subject.name}"
  report.add(kase, subject.name, Bench::Answering.open(subject, count, &block))
rescue Bench::Answering::Failure => e
  abort "bench: #{kase} on #{subject.name}: #{e.message}" if subject.ours && !subject.unsupported?

  # Once is enough.
  failed << [subject, kase]
  report.note("#{kase}: #{subject.name} (#{e.message.lines.first&.chomp})")
end

options[:connections].each do |connections|
  options[:rounds].times do
    subjects.each do |subject|
      measure.call(subject, "#{connections} connections") do |answering|
        Bench::Requests.measure(answering, connections: connections, seconds: options[:seconds])
      end
    end
  end
end

wanted = options[:idle]
options[:idle] = Bench::Idle.attainable(wanted)
report.note("#{wanted} idle connections (a process may not have that many descriptors here)") if options[:idle] < wanted
if options[:idle].positive?
  [options[:rounds], 3].min.times do
    subjects.each do |subject|
      measure.call(subject, "#{options[:idle]} idle connections", options[:idle]) do |answering|
        Bench::Idle.measure(answering, count: options[:idle], seconds: options[:seconds],
                                       memory: subject.command.call(nil).size > 1)
      end
    end
  end
end

puts report
report.save if options[:save]
