# frozen_string_literal: true

module Evented
  # Two methods of IO that Ruby gets wrong under any scheduler that has io_read and io_write. Outside of a fiber of
  # ours they are what they were.
  #
  # @private
  module IORepairs
    # Up to 3.4 Ruby calls the hook without holding its lock, and crashes.
    module Pwrite
      # @return [Integer] bytes written
      def pwrite(string, offset)
        scheduler = Fiber.current_scheduler
        return super unless scheduler.is_a?(Scheduler)

        result = scheduler.io_pwrite(self, IO::Buffer.for(string.to_s), offset, 0, 0)
        raise IOError, "not opened for writing" if result == -Errno::EBADF::Errno
        raise SystemCallError.new(nil, -result) if result.negative?

        result
      end
    end

    # Up to 4.0 Ruby takes the hook's EAGAIN for a failure, instead of waiting as IO#read does.
    module Sysread
      # @return [String]
      def sysread(...)
        super
      rescue Errno::EAGAIN
        raise unless Fiber.current_scheduler.is_a?(Scheduler)

        wait_readable || raise(IO::TimeoutError, "Blocking operation timed out!")
        retry
      end
    end
  end
  private_constant :IORepairs

  # (Sent, because YARD takes a plain call for documentation.)
  IO.send(:prepend, IORepairs::Pwrite) if Native::SCHEDULER_VERSION < 3
  IO.send(:prepend, IORepairs::Sysread) if Native::SCHEDULER_VERSION < 4
end
