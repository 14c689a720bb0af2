# frozen_string_literal: true

require "fiddle"

# A filter of system calls, as containers have one: the kernel answers some of them with an error. For Linux, and for a
# process of its own, because a filter stays.
module Seccomp
  # Their numbers are the same on every machine.
  NUMBERS = { io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427 }.freeze

  # From linux/prctl.h, linux/seccomp.h and linux/filter.h.
  PR_SET_NO_NEW_PRIVS = 38
  PR_SET_SECCOMP = 22
  SECCOMP_MODE_FILTER = 2
  LOAD_NUMBER = [0x20, 0, 0, 0].freeze # BPF_LD | BPF_W | BPF_ABS, seccomp_data.nr
  JUMP_IF_EQUAL = 0x15 # BPF_JMP | BPF_JEQ | BPF_K
  RETURN = 0x06 # BPF_RET | BPF_K
  ALLOW = 0x7fff0000
  ERRNO = 0x00050000

  class << self
    # @param calls [Hash{Symbol => Class}] the name of a system call => the Errno class that it is to fail with
    # @return [void]
    # @raise [RuntimeError] if this kernel takes no filter
    def refuse(**calls)
      filter = program(calls).map { |instruction| instruction.pack("SCCL") }.join
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0)
      # struct sock_fprog: how many instructions, and where they are.
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, [filter.bytesize / 8, filter].pack("Sx6p"))
    end

    private

    def program(calls)
      tests = calls.flat_map do |name, error|
        [[JUMP_IF_EQUAL, 0, 1, NUMBERS.fetch(name)], [RETURN, 0, 0, ERRNO | error::Errno]]
      end
      [LOAD_NUMBER, *tests, [RETURN, 0, 0, ALLOW]]
    end

    def prctl(option, second, third)
      @prctl ||= Fiddle::Function.new(Fiddle::Handle::DEFAULT["prctl"],
                                      [Fiddle::TYPE_INT, Fiddle::TYPE_LONG, Fiddle::TYPE_VOIDP, Fiddle::TYPE_LONG,
                                       Fiddle::TYPE_LONG], Fiddle::TYPE_INT)
      third = Fiddle::Pointer[third] if third.is_a?(String)
      raise "prctl(#{option}) failed: errno #{Fiddle.last_error}" unless @prctl.call(option, second, third, 0, 0).zero?
    end
  end
end
