# frozen_string_literal: true

require "io/console/size"
require "json"
require "rbconfig"
require "ruby-progressbar"
require_relative "effort"
require_relative "measuring"
require_relative "results"
require_relative "serving"

module Bench
  # Cases, measured: cases × variants × rounds × subjects. Within a case the subjects take turns, so that whatever else
  # the machine does meanwhile meets all of them alike.
  class Runner
    DIRECTORY = "#{ROOT}/bench/cases".freeze

    # @return [Array<String>]
    def self.names = Dir["#{DIRECTORY}/*.rb"].map { |file| File.basename(file, ".rb") }.sort

    # @param names [Array<String>] of cases
    # @param subjects [Array<String>, nil] names or families, if not all
    def initialize(names, effort:, subjects: nil)
      unknown = names - self.class.names
      raise Failure, "there is no case #{unknown.first}, but #{self.class.names.join(", ")}" if unknown.any?

      @cases = names.to_h { |name| [file = "#{DIRECTORY}/#{name}.rb", Case.load(file)] }
      @effort = effort
      @only = subjects
    end

    # @yieldparam results [Results] of each case, once it is done
    def run
      @bar = ProgressBar.create(total: @cases.values.sum { |kase| plan(kase).size }, format: "%t %B %p%% %a",
                                output: $stderr, length: IO.console_size.last.clamp(60, 120), throttle_rate: 0.1)
      @cases.each { |file, kase| yield results(file, kase) }
    end

    private

    def results(file, kase)
      results = Results.new(kase)
      in_company(kase) { |env| measure(file, kase, results, env) }
      results
    rescue Missing, LoadError => e
      results.leave_out("everybody", e.message)
      results
    rescue Failure => e
      raise Failure, "#{kase.name}: #{e.message}"
    end

    # @yieldparam env [Hash] what tells the subjects where it is
    def in_company(kase, &work)
      missing = kase.needs.find { |program| !Commands.program?(program) }
      raise Missing, "#{missing} is not there" if missing
      raise Missing, "servers are measured through Linux's /proc" if kase.served? && !File.exist?("/proc/self/stat")

      kase.company ? kase.company.call(work) : work.call({})
    end

    def plan(kase)
      subjects = SUBJECTS.select { |subject| kase.bodies.key?(subject.kind) } + kase.programs
      subjects = subjects.select { |subject| [subject.name, subject.family].intersect?(@only) } if @only
      @effort.variants_of(kase).product([*1..@effort.rounds_of(kase)], subjects)
    end

    def measure(file, kase, results, env)
      steps = Queue.new(plan(kase)).close
      Array.new(@effort.jobs) do
        Thread.new do
          Thread.current.report_on_exception = false
          while (variant, round, subject = steps.pop)
            sample(file, kase, variant, round, subject, results, env)
          end
        end
      end.each(&:value)
    end

    def sample(file, kase, variant, round, subject, results, env)
      @bar.title = "#{[kase.name, *variant].join(" ")}: #{subject.name}".ljust(40)
      return if results.left_out?(subject.name, variant)

      missing = subject.needs if subject.is_a?(Case::Program) && subject.needs && !Commands.program?(subject.needs)
      raise Missing, "#{missing} is not there" if missing

      kind = kase.served? ? Serving : Measuring
      trace = round == @effort.rounds_of(kase)
      results.add(subject, variant,
                  kind.new(kase, file, subject).sample(variant, effort: @effort, env: env, trace: trace))
    rescue Missing => e
      results.leave_out(subject.name, e.message, variant)
    rescue Failure => e
      raise Failure, "#{[subject.name, *variant].join(" ")}: #{e.message}" if subject.ours && !unsupported?(subject)

      results.leave_out(subject.name, e.message, variant)
    ensure
      @bar.increment
    end

    # Containers may refuse io_uring; left to itself, evented then takes the other driver.
    def unsupported?(subject)
      return false unless subject.env["EVENTED_DRIVER"] == "uring"

      command = [RbConfig.ruby, "-I#{ROOT}/lib", "-revented", "-e", "print Evented.driver"]
      IO.popen({ "EVENTED_DRIVER" => nil }, command, &:read) == "poll"
    end
  end
end
