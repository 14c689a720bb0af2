# frozen_string_literal: true

require "evented"
require "io/console/size"
require "ruby-progressbar"

# How long some work took and what it cost.
Measurement = Data.define(:count, :seconds, :cpu_seconds, :peak_memory, :driver, :estimated_from, :failures) do
  # Forks, and there makes the block do `size` calls of the work: it gets their number and what to call with each index.
  # A call that fails is recorded, and the rest goes on.
  def self.of(title, work, size = work.size)
    result, writer = IO.pipe(binmode: true)
    pid = fork do
      trap(:INT, "SYSTEM_DEFAULT") # Ctrl-C is the parent's to report
      result.close
      work.prepare
      # With a length given, the bar does not ask `stty` at every step; it is drawn ten times a second.
      bar = ProgressBar.create(title: title.ljust(10), total: size, format: "%t %B %c/%C", output: $stderr,
                               length: IO.console_size.last.clamp(60, 120), throttle_rate: 0.1)
      mutex = Mutex.new # contenders may have threads
      failures = []
      call = lambda do |number|
        work.call(number)
      rescue StandardError => e
        mutex.synchronize { failures << "#{title}: #{e.class}: #{e.message}" }
      ensure
        mutex.synchronize { bar.increment }
      end

      cpu = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
      started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      yield size, call
      seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
      cpu = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - cpu

      failures << "#{title}: #{bar.progress} of #{size} calls came to an end" if bar.progress != size
      writer.write(Marshal.dump([size, seconds, cpu, peak_memory, Evented.driver.to_s, nil, failures]))
      exit!(true) # the parent's at_exit blocks and connections are none of this process's business
    end
    writer.close
    dump = result.read
    Process.wait(pid)
    return new(*Marshal.load(dump)) if Process.last_status.success? # rubocop:disable Security/MarshalLoad

    new(size, nil, nil, nil, nil, nil, ["#{title}: its process ended with #{Process.last_status.inspect}"])
  ensure
    result.close
  end

  # In bytes; only Linux tells (VmHWM).
  def self.peak_memory
    File.read("/proc/self/status")[/^VmHWM:\s*(\d+) kB/, 1]&.to_i&.*(1024)
  rescue Errno::ENOENT
    nil
  end

  # What `size` calls would have taken.
  def extrapolate(size)
    factor = size.fdiv(count)
    with(count: size, estimated_from: count, seconds: seconds&.*(factor), cpu_seconds: cpu_seconds&.*(factor))
  end
end
