# frozen_string_literal: true

# The process of one sample: ruby worker.rb CASE-FILE SUBJECT COUNT. Prints the sample as JSON.

require "json"
require_relative "case"
require_relative "subjects"

file, subject_name, count = ARGV
body_of = Bench::Case.load(file).bodies
subject = Bench::SUBJECTS.find { |candidate| candidate.name == subject_name }
started = subject.start.call
body = body_of.fetch(subject.kind)

# A scheduler's work starts as its first fiber, and is done when `run` returns.
work = lambda do |operations|
  return body.call(operations) unless (scheduler = Fiber.scheduler)

  Fiber.schedule { body.call(operations) }
  scheduler.run
end

measure = lambda do |operations|
  Fiber.set_scheduler(started[:scheduler].new) if started[:scheduler]
  GC.start
  cpu = Process.times
  clock = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  work.call(operations)
  wall = Process.clock_gettime(Process::CLOCK_MONOTONIC) - clock
  used = Process.times
  { wall: wall, user: used.utime - cpu.utime, system: used.stime - cpu.stime }
ensure
  Fiber.set_scheduler(nil)
end

count = Integer(count)
measure.call([count / 10, 1].max)
sample = measure.call(count)

status = File.exist?("/proc/self/status") ? File.read("/proc/self/status").scan(/^(\w+):\s*(\d+)/).to_h : {}
switches = status.values_at("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches").compact.sum(&:to_i)
puts JSON.generate(
  {
    subject: subject_name, operations: count, **sample,
    peak_memory_kib: status["VmHWM"]&.to_i, context_switches: switches,
    driver: started[:driver], versions: started[:versions], yjit: defined?(RubyVM::YJIT) ? RubyVM::YJIT.enabled? : false
  }
)
