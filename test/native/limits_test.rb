# frozen_string_literal: true

require "helper"
require "support/ruby_process"

# What the kernel refuses, runs out of or takes away. Each test has a Ruby of its own, which is limited for good.
class LimitsTest < Minitest::Test
  # What is refused, as filters of system calls do it in containers, and on kernels that have none or account for it.
  REFUSALS = {
    "a_ring" => { io_uring_setup: Errno::EPERM },
    "what_it_does_not_know" => { io_uring_setup: Errno::ENOSYS },
    "memory_for_a_ring" => { io_uring_setup: Errno::ENOMEM },
    "a_ring_to_be_asked" => { io_uring_register: Errno::EPERM },
    "a_ring_to_be_entered" => { io_uring_enter: Errno::EPERM },
    "all_of_it" => { io_uring_setup: Errno::EACCES, io_uring_register: Errno::EACCES, io_uring_enter: Errno::EACCES }
  }.freeze

  REFUSALS.each do |what, calls|
    define_method("test_where_the_kernel_refuses_#{what}_the_poll_driver_does_all_of_the_work") do
      output, errors, status = refused(calls, nil, <<~RUBY)
        puts Evented.driver
        p Workload.run
        p Workload.run
      RUBY

      assert_equal "poll\n[]\n[]\n", output, errors
      assert_predicate status, :success?
      assert_match(/\Aevented: io_uring is not to be had here \(.+\); the poll driver takes its place.*\n\z/, errors,
                   "it is said once")
    end

    define_method("test_where_the_kernel_refuses_#{what}_asking_for_a_ring_is_an_error") do
      output, errors, = refused(calls, "uring", <<~RUBY)
        [-> { Evented.run { 1 } }, -> { Evented::Scheduler.new }, -> { Evented.driver }].each do |try|
          try.call
        rescue Evented::Error => error
          puts error.message
        end
      RUBY

      assert_equal 1, output.lines.uniq.size, errors
      assert_equal 3, output.lines.size
      assert_match(/uring driver was asked for but this system refuses it \(.+\): unset EVENTED_DRIVER/, output)
    end
  end

  # Kernels before 5.12 take what a ring needs from the memory that may be locked.
  def test_without_memory_that_may_be_locked_some_driver_does_the_work
    output, errors, = ruby(<<~RUBY, env: { "EVENTED_DRIVER" => nil })
      #{WORKLOAD}
      Process.setrlimit(:MEMLOCK, 0, 0)
      # Root may lock as much as it likes.
      Process::UID.change_privilege(65_534) if Process.uid.zero?
      p Workload.run
    RUBY

    assert_equal "[]\n", output, errors
  end

  def test_without_descriptors_there_is_no_reactor_and_later_there_is
    assert_equal "Errno::EMFILE\nErrno::EMFILE\n[]\n", output_of_ruby(<<~RUBY, env: { "EVENTED_DRIVER" => nil })
      #{WORKLOAD}
      #{NO_DESCRIPTORS}
      kept = use_all_up
      [-> { Evented.run { 1 } }, -> { Evented::Scheduler.new }].each do |try|
        try.call
      rescue SystemCallError => error
        puts error.class
      end
      kept.each(&:close)
      p Workload.run
    RUBY
  end

  def test_a_fiber_that_gets_no_descriptor_hears_of_it_and_the_others_go_on
    assert_equal "Errno::EMFILE\nserved\n[]\n", output_of_ruby(<<~RUBY)
      #{WORKLOAD}
      #{NO_DESCRIPTORS}
      Evented do
        server = TCPServer.new("127.0.0.1", 0)
        client = TCPSocket.new("127.0.0.1", server.local_address.ip_port)
        one, other = UNIXSocket.pair
        echo = Evented { 100.times { other.write(other.readpartial(1)) } }
        kept = use_all_up
        accepting = Evented { server.accept rescue puts($!.class) }
        100.times { one.write("x") && one.readpartial(1) }
        [echo, accepting].each(&:wait)
        kept.each(&:close)
        server.accept.then { |peer| peer.write("served") && peer.close }
        puts client.read
      end
      p Workload.run
    RUBY
  end

  # The poll driver takes one for it.
  def test_a_child_is_waited_for_without_a_descriptor_and_without_spinning
    assert_equal "7\nfew turns\n", output_of_ruby(<<~RUBY)
      #{NO_DESCRIPTORS}
      Evented do
        reader, writer = IO.pipe
        child = fork { writer.close; reader.read; exit!(7) }
        reader.close
        turns = Fiber.scheduler.stats[:turns]
        kept = use_all_up
        waiting = Evented { Process.wait2(child).last.exitstatus }
        sleep 0.2
        kept.each(&:close)
        writer.close
        puts waiting.value, (turns = Fiber.scheduler.stats[:turns] - turns) < 200 ? "few turns" : turns
      end
    RUBY
  end

  # Somebody closes descriptors that are not his: all above two, as daemons do.
  def test_a_reactor_whose_descriptors_are_gone_says_so_and_the_next_one_works
    skip "only Linux tells what a process has open" unless File.directory?("/proc/self/fd")

    assert_equal "Evented::PoisonedError\n[]\n", output_of_ruby(<<~RUBY)
      #{WORKLOAD}
      kernel_objects = lambda do
        Dir.children("/proc/self/fd").map(&:to_i).select do |fd|
          File.readlink("/proc/self/fd/\#{fd}").match?(/io_uring|eventpoll/)
        rescue Errno::ENOENT
          false
        end
      end
      before = kernel_objects.call
      begin
        Evented do
          (kernel_objects.call - before).each { |fd| IO.for_fd(fd).close }
          sleep 0.01
        end
      rescue Evented::Error => error
        puts error.class
      end
      p Workload.run
    RUBY
  end

  # Both of its queues overflow, again and again.
  def test_a_ring_of_64_entries_serves_thousands_of_fibers
    skip "the poll driver has no ring" unless Evented.driver == :uring

    assert_equal "[]\n[]\n3000 echoes\n", output_of_ruby(<<~RUBY, env: { "EVENTED_DRIVER" => "uring:64" })
      #{WORKLOAD}
      p Workload.run
      Evented { p Workload.run }
      Evented do
        pairs = Array.new(500) { UNIXSocket.pair }
        fibers = pairs.flat_map do |one, other|
          [Evented { 6.times { other.write(other.readpartial(10)) } },
           Evented { Array.new(6) { |n| one.write(n.to_s) && one.readpartial(10) == n.to_s }.count(true) }]
        end
        puts "\#{fibers.each_slice(2).sum { |_, asking| asking.value }} echoes"
      end
    RUBY
  end

  WORKLOAD = "require \"#{ROOT}/test/support/workload\"".freeze

  # `use_all_up`: opens files until there is no descriptor left.
  NO_DESCRIPTORS = <<~RUBY
    Process.setrlimit(:NOFILE, 200, Process.getrlimit(:NOFILE).last)
    def use_all_up
      kept = []
      loop { kept << File.open("/dev/null") }
    rescue Errno::EMFILE
      kept
    end
  RUBY
  private_constant :WORKLOAD, :NO_DESCRIPTORS

  private

  # Runs a script where the kernel refuses these system calls.
  def refused(calls, driver, script)
    skip "only Linux has filters of system calls" unless RUBY_PLATFORM.include?("linux")

    list = calls.map { |name, error| "#{name}: #{error}" }.join(", ")
    ruby(<<~RUBY, env: { "EVENTED_DRIVER" => driver })
      #{WORKLOAD}
      require "#{ROOT}/test/support/seccomp"
      Seccomp.refuse(#{list})
      #{script}
    RUBY
  end
end
