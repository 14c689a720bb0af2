# frozen_string_literal: true

# Where the CPU time of one request goes: ruby bench/profile.rb SUBJECT [CONNECTIONS] [CASE], with perf and strace; or
# `rake "bench:profile[SUBJECT,CONNECTIONS]"`. The case is one of those whose subjects are servers: http, unless told.

require_relative "harness"

name, connections, case_name = ARGV
Process.setrlimit(:NOFILE, Process.getrlimit(:NOFILE).last)
begin
  subject = Bench::SUBJECTS.find { |candidate| candidate.name == name } or
    raise Bench::Failure, "there is no subject #{name.inspect}, but #{Bench::SUBJECTS.map(&:name).join(", ")}"
  file = "#{Bench::Runner::DIRECTORY}/#{case_name || "http"}.rb"
  taken = Bench::Profile.new(Bench::Case.load(file), file, subject).take(Integer(connections || 64))
  puts "#{name}, #{connections || 64} connections: #{Bench::Markdown.number(taken[:cpu])} ns of CPU a request", ""
  { libraries: "library", functions: "library, function" }.each do |parts, heading|
    rows = taken[parts].sort_by { |_, ns| -ns }.first(15).map do |part, ns|
      [part, Bench::Markdown.number(ns), format("%.1f", 100 * ns / taken[:cpu])]
    end
    puts Bench::Markdown.table([[heading, "ns", "%"], *rows]), ""
  end
  calls = taken[:calls].sort_by { |_, count| -count }.map { |call, count| [call, Bench::Markdown.decimal(count)] }
  puts Bench::Markdown.table([["system call", "a request"], *calls]) unless calls.empty?
rescue ArgumentError, Bench::Failure => e
  abort "bench: #{e.message}"
end
