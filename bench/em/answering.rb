# frozen_string_literal: true

require "etc"
require "rbconfig"
require "timeout"

module Bench
  # An HTTP answerer in a process of its own, on a core of its own.
  class Answering
    # It did not start, or did not do what it was asked to.
    class Failure < StandardError; end

    # What answers: `command` for how many connections it has to tell of (or nil), and what its process gets.
    Subject = Data.define(:name, :env, :command, :ours) do
      # Containers may refuse io_uring; left to itself, evented then takes the other driver.
      def unsupported?
        return false unless env["EVENTED_DRIVER"] == "uring"

        command = [RbConfig.ruby, "-I#{ROOT}/lib", "-revented", "-e", "print Evented.driver"]
        IO.popen({ "EVENTED_DRIVER" => nil }, command, &:read) == "poll"
      end
    end

    # EventMachine is looked for outside of Bundler, where evented stands for it.
    ALONE = %w[RUBYOPT RUBYLIB BUNDLE_GEMFILE BUNDLER_SETUP].to_h { |name| [name, nil] }.freeze
    FLOOR = "#{ROOT}/tmp/bench/epoll_answerer".freeze
    SERVER_CORE = 0
    LOAD_CORE = 1
    PATIENCE = 60

    script = lambda do |library, poller, *options|
      ->(count) { [RbConfig.ruby, *options, "#{__dir__}/answerer.rb", library, poller, *count&.to_s] }
    end
    ours = script.call("evented/eventmachine", "default", "-I#{ROOT}/lib")
    SUBJECTS = [
      Subject.new("C epoll", {}, ->(count) { [FLOOR, *count&.to_s] }, false),
      Subject.new("evented uring", { "EVENTED_DRIVER" => "uring" }, ours, true),
      Subject.new("evented poll", { "EVENTED_DRIVER" => "poll" }, ours, true),
      Subject.new("EventMachine", ALONE, script.call("eventmachine", "default"), false),
      Subject.new("EventMachine epoll", ALONE, script.call("eventmachine", "epoll"), false)
    ].freeze

    class << self
      # @param count [Integer, nil] tell of so many connections
      # @yieldparam answering [Answering]
      def open(subject, count = nil)
        answering = new(subject, count)
        yield answering
      ensure
        answering&.close
      end

      # @return [String, nil] why a subject can't be measured here
      def missing(subject)
        return build_floor if subject.name == "C epoll"
        return if subject.ours

        version(subject.env) ? nil : "EventMachine itself is not installed"
      end

      # @return [String, nil] of EventMachine itself
      def version(env = ALONE)
        script = 'require "eventmachine"; print EM::VERSION'
        said = IO.popen(env, [RbConfig.ruby, "-e", script], err: File::NULL, &:read)
        said unless said.empty?
      end

      # In front of a command, so that it stays on one core.
      def on_core(core)
        return [] if Etc.nprocessors < 2 || !program?("taskset")

        ["taskset", "-c", core.to_s]
      end

      def program?(name) = ENV.fetch("PATH").split(":").any? { |path| File.executable?("#{path}/#{name}") }

      private

      def build_floor
        require "fileutils"
        FileUtils.mkdir_p(File.dirname(FLOOR))
        compiler = ENV.fetch("CC", "cc")
        system(compiler, "-O2", "-o", FLOOR, "#{ROOT}/bench/floor/epoll_answerer.c", out: File::NULL, err: File::NULL)
        "#{compiler} does not compile bench/floor/epoll_answerer.c here" unless $?&.success?
      end
    end

    # [Integer]
    attr_reader :port

    def initialize(subject, count)
      @errors, errors = IO.pipe
      @process = IO.popen(subject.env, [*self.class.on_core(SERVER_CORE), *subject.command.call(count)], err: errors)
      errors.close
      @port = Integer(line)
    end

    # @return [String] the next that it says
    def line
      Timeout.timeout(PATIENCE) { @process.gets }&.chomp or raise Failure, @errors.read.strip
    rescue Timeout::Error
      raise Failure, "it said nothing for #{PATIENCE} s"
    end

    # @return [Array(Float, Float)] seconds it has computed: in its own code, and in the kernel's
    def cpu
      File.read("/proc/#{@process.pid}/stat").rpartition(")").last.split.values_at(11, 12)
          .map { |ticks| Integer(ticks).fdiv(Etc.sysconf(Etc::SC_CLK_TCK)) }
    end

    # @return [Array(Integer, Integer)] bytes: resident, and in Ruby's objects as far as Ruby knows
    def memory
      Process.kill(:USR1, @process.pid)
      line.split.map { |bytes| Integer(bytes) }
    end

    def close
      Process.kill(:KILL, @process.pid)
      [@process, @errors].each(&:close)
    end
  end
end
