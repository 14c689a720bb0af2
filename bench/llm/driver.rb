# frozen_string_literal: true

# One sample, in a process of its own: `ruby bench/llm/driver.rb MODE CONCURRENCY STREAMS`, with LLM_PORT and LLM_PG of
# bench/llm/run.rb. Writes one line of JSON.

require "active_record"
require "json"
require "logger"
require_relative "job"

mode, *numbers = ARGV
concurrency, streams = numbers.map { |number| Integer(number) }

Process.setrlimit(:NOFILE, Process.getrlimit(:NOFILE).last)
ActiveSupport::IsolatedExecutionState.isolation_level = mode == "threads" ? :thread : :fiber
case mode
when "evented"
  require "evented/rails"
  Evented::Rails.setup
when "async"
  require "async"
  require "async/semaphore"
end

ActiveRecord::Base.establish_connection(adapter: "postgresql", host: ENV.fetch("LLM_PG"), username: "postgres",
                                        database: "postgres", pool: 5)
ActiveRecord::Schema.verbose = false
ActiveRecord::Schema.define { create_table(:answers, force: true) { |t| [t.text(:content), t.boolean(:complete)] } }
class Answer < ActiveRecord::Base; end
# What is done once a process is not measured.
Answer.transaction { Answer.create!(content: "").update_columns(content: "warm", complete: false) }
ActiveRecord::Base.connection_handler.clear_active_connections!(:all)

def memory(field) = File.read("/proc/self/status")[/#{field}:\s+(\d+)/, 1].to_i / 1024.0

def nanoseconds = Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)

def percentiles(values, digits)
  sorted = values.map { |nanoseconds| (nanoseconds / 1e6).round(digits) }.sort
  [0.5, 0.99].map { |share| sorted[((sorted.size - 1) * share).round] unless sorted.empty? }
end

run = {
  "threads" => lambda do |jobs|
    queue = Queue.new
    jobs.each { |job| queue << job }
    queue.close
    Array.new(concurrency) { Thread.new { while (job = queue.pop) do job.perform end } }.each(&:join)
  end,
  "evented" => ->(jobs) { Evented.run { Evented.each(jobs, limit: concurrency, &:perform) } },
  "async" => lambda do |jobs|
    Async do |task|
      semaphore = Async::Semaphore.new(concurrency, parent: task)
      jobs.each { |job| semaphore.async { job.perform } }
    end
  end
}.fetch(mode)

jobs = Array.new(streams) { Job.new }
GC.start
before = memory("VmRSS")
cpu = Process.times
started = nanoseconds
run.call(jobs)
seconds = (nanoseconds - started) / 1e9
used = Process.times

puts JSON.generate(
  mode: mode, concurrency: concurrency, streams: streams, seconds: seconds.round(3),
  cpu: (used.utime + used.stime - cpu.utime - cpu.stime).round(3), complete: Answer.where(complete: true).count,
  first_token: percentiles(jobs.filter_map { |job| job.first && (job.first - started) }, 0),
  late: percentiles(jobs.flat_map(&:late), 2), memory_mib: (memory("VmHWM") - before).round(1),
  connections: ActiveRecord::Base.connection_pool.connections.size, errors: jobs.filter_map(&:error).tally,
  driver: mode == "evented" ? Evented.driver : nil
)
