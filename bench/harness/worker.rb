# frozen_string_literal: true

# The process of one subject: ruby worker.rb CASE-FILE SUBJECT VARIANT [PORT].
#
# With a port it serves there until it is killed. Otherwise it warms up and says who it is, and for each number of
# operations that comes on its standard input answers with a sample; "COUNT PATH PATH" has a tracer's control told when
# the work begins and ends. Everything it says is a line of JSON.

require "json"
require_relative "case"
require_relative "control"
require_relative "run"
require_relative "subjects"

file, subject_name, variant, port = ARGV
$stdin.sync = $stdout.sync = true
kase = Bench::Case.load(file)
subject = Bench::SUBJECTS.find { |candidate| candidate.name == subject_name && kase.bodies.key?(candidate.kind) }
body = kase.bodies.fetch(subject.kind)
variant = [*kase.variants, kase.smoke_variant].find { |candidate| candidate.to_s == variant }
started = subject.start.call
about = { driver: started[:driver], versions: started[:versions],
          yjit: defined?(RubyVM::YJIT) ? RubyVM::YJIT.enabled? : false }

# A scheduler's work starts as its first fiber, and is done when `run` returns.
work = lambda do |*arguments|
  next started[:run].call { body.call(*arguments) } if started[:run]
  next body.call(*arguments) unless started[:scheduler]

  begin
    Fiber.set_scheduler(started[:scheduler].new)
    Fiber.schedule { body.call(*arguments) }
    Fiber.scheduler.run
  ensure
    Fiber.set_scheduler(nil)
  end
end

if port
  puts JSON.generate(about)
  work.call(Integer(port), Bench::Run.new(variant))
  abort "it has stopped serving"
end

narrowed = false
measure = lambda do |count, *control|
  control = control.empty? ? nil : Bench::Control.new(*control)
  run = Bench::Run.new(variant, memory: kase.memory?, control: control)
  # Whoever narrows it down has it counted later.
  run.start unless narrowed && control
  work.call(count, run)
  run.stop
  narrowed = run.narrowed?
  run.sample(count)
end

warm_up = Integer($stdin.gets)
measure.call(warm_up) if warm_up.positive?
puts JSON.generate(about)
while (line = $stdin.gets)
  count, *control = line.split
  puts JSON.generate(measure.call(Integer(count), *control))
end
