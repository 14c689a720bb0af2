# frozen_string_literal: true

require "etc"
require "fileutils"
require "socket"

module Bench
  # Programs that the benchmarks start: what is in PATH, what is built from bench/floor, and on which core it runs.
  module Commands
    SERVER_CORE = 0
    LOAD_CORE = 1
    BUILT = "#{ROOT}/tmp/bench".freeze

    @lock = Mutex.new
    @built = {}

    module_function

    def program?(name) = ENV.fetch("PATH").split(":").any? { |path| File.executable?("#{path}/#{name}") }

    # In front of a command, so that it stays on one core.
    def on_core(core)
      return [] if Etc.nprocessors < 2 || !program?("taskset")

      ["taskset", "-c", core.to_s]
    end

    def free_port = TCPServer.open("127.0.0.1", 0) { |server| server.local_address.ip_port }

    # Until somebody listens there.
    #
    # @param child [Child] who should
    # @raise [Failure] if it has ended, or does not in time
    def wait_for(port, child)
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 20
      begin
        TCPSocket.new("127.0.0.1", port).close
      rescue Errno::ECONNREFUSED
        raise Failure, child.why if child.over? || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

        sleep 0.02
        retry
      end
    end

    # @param name [String] of a C file of bench/floor
    # @return [String] the path of the program
    # @raise [Missing] if it does not compile here
    def floor(name, *libraries)
      @lock.synchronize { @built[name] ||= compile(name, libraries) }
    end

    # @param source [String] a Go file
    # @return [String] the path of the program
    def go(source)
      target = "#{BUILT}/#{File.basename(source, ".go")}-go"
      @lock.synchronize do
        FileUtils.mkdir_p(BUILT)
        next if FileUtils.uptodate?(target, [source])

        system("go", "build", "-o", target, source, out: File::NULL, err: File::NULL) or
          raise Missing, "go does not build #{File.basename(source)} here"
      end
      target
    end

    def compile(name, libraries)
      FileUtils.mkdir_p(BUILT)
      source = "#{ROOT}/bench/floor/#{name}.c"
      target = "#{BUILT}/#{name}"
      return target if FileUtils.uptodate?(target, [source, *Dir["#{ROOT}/bench/floor/*.h"]])

      compiler = ENV.fetch("CC", "cc")
      done = system(compiler, "-O2", "-o", target, source, *libraries.map { |library| "-l#{library}" },
                    out: File::NULL, err: File::NULL)
      raise Missing, "#{compiler} does not compile bench/floor/#{name}.c here (#{libraries.join(", ")})" unless done

      target
    end
  end
end
