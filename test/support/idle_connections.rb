# frozen_string_literal: true

require "rbconfig"
require "timeout"

# Very many connections to an answerer on EM in a process of its own, held by another.
#
#     IdleConnections.open(20_000) { |idle| idle.accepted_within … idle.native … idle.port }
class IdleConnections
  LIMIT = 60

  class << self
    # @yieldparam idle [IdleConnections] while all are there
    def open(count)
      idle = new(count)
      yield idle
    ensure
      idle&.close
    end

    # @return [Integer] of so many those that one process can have here, in round numbers
    def attainable(count)
      needed = count + 100
      hard = Process.getrlimit(:NOFILE).last
      # Root can usually raise it.
      Process.wait(fork do
        Process.setrlimit(:NOFILE, needed, [needed, hard].max)
        exit!(true)
      rescue Errno::EPERM
        exit!
      end)
      $?.success? ? count : (hard - 100) / 1_000 * 1_000
    end
  end

  # [Integer]
  attr_reader :port
  # [Float] seconds from the first until all were
  attr_reader :accepted_within
  # [Float] bytes each, in Ruby's objects and beside them
  attr_reader :objects, :native

  def initialize(count)
    scripts = File.join(__dir__, "idle")
    @answerer = IO.popen([RbConfig.ruby, "-I#{File.expand_path("../../lib", __dir__)}", "#{scripts}/answerer.rb",
                          count.to_s])
    @port = Integer(line(@answerer))
    before = memory
    @holder = IO.popen([RbConfig.ruby, "--disable-gems", "#{scripts}/holder.rb", @port.to_s, count.to_s], "r+")
    started = Float(line(@holder))
    line(@answerer) == "all" or raise "it did not accept all of them"
    @accepted_within = Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
    resident, @objects = memory.zip(before).map { |now, earlier| (now - earlier).fdiv(count) }
    @native = resident - @objects
  end

  def close
    [@answerer, @holder].compact.each do |process|
      Process.kill(:KILL, process.pid)
      process.close
    end
  end

  private

  def line(process)
    Timeout.timeout(LIMIT) { process.gets }&.chomp or raise "it ended without a word"
  end

  # @return [Array(Integer, Integer)] bytes: resident, and in Ruby's objects as far as Ruby knows
  def memory
    Process.kill(:USR1, @answerer.pid)
    line(@answerer).split.map { |bytes| Integer(bytes) }
  end
end
