# frozen_string_literal: true

require "etc"

module Evented
  # What can be set, and what a program may ask.
  module EM
    # EventMachine's limit, which is told but only enforced once it is set.
    DEFAULT_MAX_TIMERS = 100_000
    # As few as may be allowed.
    LEAST_MAX_TIMERS = 100
    # Milliseconds.
    QUANTUM = (5..300_000)
    private_constant :DEFAULT_MAX_TIMERS, :LEAST_MAX_TIMERS, :QUANTUM

    @max_timers = nil
    @heartbeat_interval = 2.0
    @simultaneous_accept_count = 10
    @epoll = false

    class << self
      # Seconds; nothing depends on it, as in EventMachine.
      def heartbeat_interval = @heartbeat_interval
      alias get_heartbeat_interval heartbeat_interval

      def heartbeat_interval=(seconds)
        set_heartbeat_interval(seconds.to_f)
      end

      # @return [Boolean] whether it was set: it must be positive
      def set_heartbeat_interval(seconds)
        return false unless seconds.positive?

        @heartbeat_interval = seconds.to_f
        true
      end

      # @return [Integer] how many timers there may be
      def get_max_timers = @max_timers || DEFAULT_MAX_TIMERS
      alias get_max_timer_count get_max_timers

      # Limits the number of timers; without it there is no limit.
      #
      # @raise [RuntimeError] while a reactor runs
      def set_max_timers(count)
        raise "eventmachine already initialized: evma_set_max_timer_count" if reactor_running?

        @max_timers = [count, LEAST_MAX_TIMERS].max
      end
      alias set_max_timer_count set_max_timers

      # Does nothing: the reactor wakes up exactly when there is something to do.
      #
      # @param milliseconds [Integer] from 5 to 300000
      # @raise [RuntimeError] for others
      def set_quantum(milliseconds)
        reactor!("evma_set_timer_quantum")
        return if QUANTUM.cover?(milliseconds)

        raise "invalid timer-quantum: it must be from 5 to 300000 milliseconds, and not #{milliseconds}"
      end
      alias set_timer_quantum set_quantum

      # Connections accepted at once; nothing depends on it: all that wait are.
      def get_simultaneous_accept_count = @simultaneous_accept_count

      def set_simultaneous_accept_count(count)
        @simultaneous_accept_count = [count, 1].max
      end

      # Raises the limit of descriptors, as far as the system allows.
      #
      # @param count [Integer, nil]
      # @return [Integer] the limit
      def set_descriptor_table_size(count = nil) = set_rlimit_nofile(count)

      # @return (see set_descriptor_table_size)
      def set_rlimit_nofile(count)
        soft, hard = Process.getrlimit(:NOFILE)
        if count && count >= 0
          begin
            Process.setrlimit(:NOFILE, count, [hard, count].max)
          rescue SystemCallError
            Process.setrlimit(:NOFILE, [count, hard].min, hard)
          end
          soft, = Process.getrlimit(:NOFILE)
        end
        soft
      end

      # Gives up root's rights.
      #
      # @param username [String]
      # @raise [RuntimeError] if there is no such user
      # @raise [SystemCallError] if that is not allowed
      def set_effective_user(username) = setuid_string(username)

      # (see set_effective_user)
      def setuid_string(username)
        Process::Sys.setuid(Etc.getpwnam(username).uid)
      rescue ArgumentError
        raise "setuid_string failed: unknown username #{username}"
      end

      # The driver is chosen by itself; these are for programs that ask for one (see {Evented.driver}).
      def epoll = @epoll = true

      def epoll=(on)
        @epoll = on
      end

      def epoll? = RUBY_PLATFORM.include?("linux")

      def kqueue = kqueue?

      # @raise [EM::Unsupported] if it is asked for where there is none
      def kqueue=(on)
        raise Unsupported, "kqueue is not supported on this platform" if on && !kqueue?
      end

      def kqueue? = RUBY_PLATFORM.match?(/darwin|bsd/)

      # @return [true] TLS is always there
      def ssl? = true

      # @return [:extension]
      def library_type = :extension

      # @return [Integer] connections and servers
      def connection_count = __count
      alias get_connection_count connection_count

      # @return [Integer] connections that end with this pass
      def num_close_scheduled = __ending

      # @return [Time] made of a monotonic clock: only differences mean something
      # @raise [RuntimeError] if no reactor runs
      def current_time
        reactor!("evma_get_current_loop_time")
        Time.at(0, Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond), :usec)
      end
    end
  end
end
