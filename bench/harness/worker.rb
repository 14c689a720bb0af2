# frozen_string_literal: true

# The process of one sample: ruby worker.rb CASE-FILE SUBJECT COUNT. Prints the sample as JSON.

require "json"
require_relative "case"
require_relative "subjects"

file, subject_name, count = ARGV
kase = Bench::Case.load(file)
subject = Bench::SUBJECTS.find do |candidate|
  candidate.name == subject_name && kase.bodies.key?(candidate.kind)
end
started = subject.start.call
body = kase.bodies.fetch(subject.kind)

memory = -> { File.read("/proc/self/statm").split[1].to_i * 4096 } # resident pages
bytes = nil

# A scheduler's work starts as its first fiber, and is done when `run` returns.
work = lambda do |operations|
  all_there = lambda do
    GC.start
    bytes = (memory.call - bytes).fdiv(operations)
  end
  next started[:run].call { body.call(operations, &all_there) } if started[:run]
  next body.call(operations, &all_there) unless (scheduler = Fiber.scheduler)

  Fiber.schedule { body.call(operations, &all_there) }
  scheduler.run
end

measure = lambda do |operations|
  Fiber.set_scheduler(started[:scheduler].new) if started[:scheduler]
  GC.start
  bytes = memory.call if kase.unit == "bytes"
  cpu = Process.times
  clock = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  work.call(operations)
  wall = Process.clock_gettime(Process::CLOCK_MONOTONIC) - clock
  used = Process.times
  { wall: wall, user: used.utime - cpu.utime, system: used.stime - cpu.stime, bytes: bytes }.compact
ensure
  Fiber.set_scheduler(nil)
end

count = Integer(count)
# Memory that has been used once is not asked for again.
measure.call([count / 10, 1].max) unless kase.unit == "bytes"
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
