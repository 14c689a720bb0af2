# frozen_string_literal: true

# Stands in for CRuby's own test/fiber/scheduler.rb, so that its tests run against Evented::Scheduler. The names, and
# what each class breaks on purpose, are what those tests ask for; see test/conformance/run.rb.

require "evented"
require "io/nonblock"

if (wanted = ENV.fetch("EVENTED_DRIVER", nil)) && Evented.driver.to_s != wanted
  abort "EVENTED_DRIVER=#{wanted} asks for a driver, but #{Evented.driver.inspect} is in use."
end

# The tests count fibers that sleep (and do nothing else) by `waiting.size`; all else they use is part of our class.
class Scheduler < Evented::Scheduler
  def waiting = Array.new(stats.fetch(:parked))
end

# Ours always has the io_read and io_write hooks.
class IOBufferScheduler < Scheduler
end

# Records what is written before it writes.
class IOScheduler < Scheduler
  def operations = (@operations ||= [])

  def io_write(io, buffer, *)
    operations << [:io_write, io.fileno, buffer.get_string]
    super
  end
end

# Every read and write fails, which core has to raise.
class IOErrorScheduler < Scheduler
  def io_read(...) = -Errno::EBADF::Errno
  def io_write(...) = -Errno::EINVAL::Errno
end

# Raises while it wakes a fiber, in whichever thread does.
class BrokenUnblockScheduler < Scheduler
  def unblock(...)
    super
    raise "Broken unblock!"
  end
end

# Sleeps while it wakes a fiber, which changes the state of the thread that ends.
class SleepingUnblockScheduler < Scheduler
  def unblock(...)
    super
    sleep(0.1)
  end
end

# Blocks the whole thread for a moment before it parks.
class SleepingBlockingScheduler < Scheduler
  def kernel_sleep(duration = nil)
    Fiber.blocking { sleep(0.0001) }
    block(:sleep, duration)
    true
  end
end
