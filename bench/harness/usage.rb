# frozen_string_literal: true

require "etc"

module Bench
  # What a process has used: seconds of CPU, switches from one thread to another, bytes of memory.
  #
  # `user` and `system` may be split by ticks; `cpu`, their sum, is exact.
  Usage = Data.define(:cpu, :user, :system, :context_switches, :resident, :peak_memory_kib) do
    # Of this process, dead threads included.
    def self.mine
      seconds = Process.times
      new(cpu: seconds.utime + seconds.stime, user: seconds.utime, system: seconds.stime, resident: resident("self"),
          context_switches: my_context_switches, peak_memory_kib: status("self")["VmHWM"].to_i)
    end

    # Of another; switches of its living threads only.
    def self.of(pid)
      user, system = File.read("/proc/#{pid}/stat").rpartition(")").last.split.values_at(11, 12)
                         .map { |ticks| ticks.to_f / Etc.sysconf(Etc::SC_CLK_TCK) }
      cpu = Process.clock_gettime((~pid << 3) | 2) # clock_getcpuclockid(3)
      switches = Dir["/proc/#{pid}/task/*"].sum { |task| context_switches(status(task.delete_prefix("/proc/"))) }
      new(cpu: cpu, user: user, system: system, context_switches: switches, resident: resident(pid),
          peak_memory_kib: status(pid)["VmHWM"].to_i)
    end

    def self.resident(pid)
      File.read("/proc/#{pid}/statm").split[1].to_i * Etc.sysconf(Etc::SC_PAGESIZE)
    rescue Errno::ENOENT
      0
    end

    def self.status(pid)
      File.read("/proc/#{pid}/status").scan(/^(\w+):\s*(\d+)/).to_h
    rescue Errno::ENOENT, Errno::ESRCH
      {} # not Linux, or a thread that has just ended
    end

    def self.context_switches(status)
      status.values_at("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches").sum(&:to_i)
    end

    # getrusage(2), whose last two of 14 longs behind two timevals count them.
    def self.my_context_switches
      require "fiddle"
      getrusage = Fiddle::Function.new(Fiddle.dlopen(nil)["getrusage"], [Fiddle::TYPE_INT, Fiddle::TYPE_VOIDP],
                                       Fiddle::TYPE_INT)
      buffer = Fiddle::Pointer.malloc(256, Fiddle::RUBY_FREE)
      getrusage.call(0, buffer)
      buffer[0, 144].unpack("q18").last(2).sum
    end

    def -(other)
      difference = with(**to_h { |name, value| [name, value - other.public_send(name)] })
      split = difference.user + difference.system
      share = split.positive? ? difference.user / split : 0.5
      difference.with(user: difference.cpu * share, system: difference.cpu * (1 - share))
    end
  end
end
