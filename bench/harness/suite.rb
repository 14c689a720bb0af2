# frozen_string_literal: true

require "io/console/size"
require "json"
require "rbconfig"
require "ruby-progressbar"
require "timeout"
require_relative "results"

module Bench
  # The cases of one directory, measured.
  class Suite
    # A subject's process did not deliver.
    class Failure < StandardError; end

    # No sample takes a minute; one that does hangs.
    LIMIT = 60

    def self.load(name, only: nil)
      files = Dir["#{ROOT}/bench/#{name}/*.rb"]
      files = files.select { |file| only.include?(File.basename(file, ".rb")) } if only
      raise ArgumentError, "no case of the suite #{name.inspect} is called #{only.inspect}" if files.empty?

      new(name, files)
    end

    def initialize(name, files)
      @name = name
      @files = files.sort
    end

    # Every case, one after the other; within a case the subjects take turns, so that whatever else the machine does
    # meanwhile meets all of them alike.
    def run(rounds:, smoke: false)
      results = Results.new(@name)
      cases = @files.to_h { |file| [file, Case.load(file)] }
      total = cases.values.sum { |kase| subjects(kase).size * (kase.once? ? 1 : rounds) }
      bar = ProgressBar.create(total: total, format: "%t %B %p%%", output: $stderr,
                               length: IO.console_size.last.clamp(60, 120), throttle_rate: 0.1)
      cases.each do |file, kase|
        samples = subjects(kase).to_h { |subject| [subject.name, []] }
        notes = {}
        (kase.once? ? 1 : rounds).times do
          subjects(kase).each do |subject|
            bar.title = "#{kase.name}: #{subject.name}".ljust(32)
            bar.increment
            next if notes[subject.name]

            count = kase.operations_of(subject.kind)
            count = [count / 100, 10].max if smoke
            samples[subject.name] << sample(file, subject, count)
          rescue Failure => e
            raise Failure, "#{kase.name} on #{subject.name}: #{e.message}" if subject.ours && !unsupported?(subject)

            notes[subject.name] = e.message[/^[^\n]*: ([^\n]+)/, 1] || e.message
          end
        end
        results.add(kase, samples, notes)
      end
      results
    end

    private

    def subjects(kase) = SUBJECTS.select { |subject| kase.bodies.key?(subject.kind) }

    def sample(file, subject, count)
      command = [RbConfig.ruby, "-I#{ROOT}/lib", "#{__dir__}/worker.rb", file, subject.name,
                 count.to_s]
      errors, errors_writer = IO.pipe
      process = IO.popen(subject.env, command, err: errors_writer)
      errors_writer.close
      output = Timeout.timeout(LIMIT) { process.read }
      process.close
      return JSON.parse(output, symbolize_names: true) if Process.last_status.success?

      raise Failure, errors.read.strip
    rescue Timeout::Error
      Process.kill(:KILL, process.pid)
      raise Failure, "still not done after #{LIMIT} s"
    ensure
      errors.close
    end

    # Containers may refuse io_uring; left to itself, evented then takes the other driver.
    def unsupported?(subject)
      return false unless subject.env["EVENTED_DRIVER"] == "uring"

      command = [RbConfig.ruby, "-I#{ROOT}/lib", "-revented", "-e", "print Evented.driver"]
      IO.popen({ "EVENTED_DRIVER" => nil }, command, &:read) == "poll"
    end
  end
end
