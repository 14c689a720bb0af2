# frozen_string_literal: true

require "helper"
require "support/ruby_process"
require "support/stress"
require "tempfile"

# After a fork parent and child both do all that a reactor does, wherever it came from and whatever was under way (I-7).
class ForkWorkloadTest < Minitest::Test
  TIME_LIMIT = Stress::LONG ? 900 : 60

  # Where a process forks, as a script with the fork in place of FORK.
  PLACES = {
    "the_root_before_any_reactor" => "FORK",
    "the_root_after_a_reactor" => "Evented { sleep 0.001 }; FORK",
    "the_root_with_a_scheduler_set" => <<~RUBY,
      Fiber.set_scheduler(Evented::Scheduler.new)
      Fiber.schedule { sleep 0.001 }
      child = fork { FORK }
      FORK
      Process.wait(child)
    RUBY
    "a_task" => "Evented { Evented { FORK } }",
    "a_fiber" => <<~RUBY,
      Fiber.set_scheduler(Evented::Scheduler.new)
      Fiber.schedule { sleep 0.001; FORK }
      Fiber.scheduler.run
    RUBY
    "an_enumerator_in_a_task" => "Evented { Enumerator.new { |values| FORK; values << 1 }.next }",
    "a_task_among_operations_in_flight" => <<~RUBY,
      Evented do
        pairs = Array.new(20) { UNIXSocket.pair }
        reading = pairs.map { |one, _| Evented { one.read(2) } }
        one, other = UNIXSocket.pair
        writing = Evented { one.write("x" * 5_000_000) }
        sleep 0.001
        FORK
        writing.cancel
        writing.ended
        other.close
        pairs.each { |_, other| other.write("ok") }
        raise "lost" unless reading.map(&:value) == ["ok"] * 20
      end
    RUBY
    "a_thread_beside_a_reactor" => <<~RUBY,
      over = Queue.new
      reactor = Thread.new { Evented { Evented { sleep 0.01 }; over.pop } }
      sleep 0.001 until reactor.status == "sleep"
      FORK
      over << true
      reactor.join
    RUBY
    "a_callback_of_eventmachine" => "EM.run { EM.next_tick { FORK; EM.stop } }"
  }.freeze

  PLACES.each do |place, script|
    define_method("test_parent_and_child_work_after_a_fork_in_#{place}") do
      forks = script.scan("FORK").size

      assert_equal ([%w[child []]] * forks) + ([%w[parent []]] * forks), told(script.gsub("FORK", "both"))
    end
  end

  def test_generations_of_children
    generations = at_length(3, 20)
    assert_equal Array.new(generations) { |n| ["generation #{n}", "[]"] }, told(<<~RUBY)
      generation = lambda do |n|
        return if n == #{generations}

        report("generation \#{n}", Workload.run)
        Evented { Evented { sleep 0.001 }; Process.wait(fork { generation.call(n + 1) }) }
      end
      generation.call(0)
    RUBY
  end

  # Loaded before the fork, a worker a process, as puma and unicorn do it: the parent has had a reactor of its own.
  def test_a_server_that_preloads_and_forks_workers
    workers = at_length(3, 40)
    assert_equal [["parent", "[]"], *([["worker", "[]"]] * workers)], told(<<~RUBY)
      Workload.run
      Evented.offload_pool if Evented.respond_to?(:offload_pool)
      listener = TCPServer.new("127.0.0.1", 0)
      workers = Array.new(#{workers}) do
        fork do
          Evented do
            peer = listener.accept
            peer.write(peer.gets)
            peer.close
          end
          report("worker", Workload.run)
        end
      end
      Evented do
        answers = workers.map { |n| Evented { ask(listener, n) } }.map(&:value)
        raise "wrong answers: \#{answers}" unless answers == workers.map { |n| "\#{n}\\n" }
        workers.each { |pid| Process.wait(pid) }
      end
      report("parent", Workload.run)
    RUBY
  end

  # It forks, and the parent exits at once. Its standard streams are not closed, for the report.
  ["", "Evented { sleep 0.001 }", "Fiber.set_scheduler(Evented::Scheduler.new); Fiber.schedule { sleep 0.001 }"]
    .zip(%w[first after_a_reactor with_a_scheduler_set]).each do |before, name|
      define_method("test_a_daemon_works_#{name}") do
        assert_equal [%w[daemon []]], told(<<~RUBY)
          #{before}
          Process.daemon(true, true)
          Fiber.set_scheduler(nil)
          report("daemon", Workload.run)
        RUBY
      end
    end

  def test_a_daemon_that_a_fiber_makes_of_itself_works
    assert_equal [%w[daemon []]], told(<<~RUBY)
      Evented do
        Evented { sleep 0.01 }
        Process.daemon(true, true)
        report("daemon", Workload.run)
      end
    RUBY
  end

  def test_children_without_end_leave_the_parent_as_it_was
    skip "only Linux tells what a process has open" unless File.directory?("/proc/self/fd")

    children = at_length(20, 500)
    assert_equal [["parent", "[]"], ["same", "true"]], told(<<~RUBY)
      Evented do
        Process.wait(fork { sleep 0 })
        before = Dir.children("/proc/self/fd").size
        one, other = UNIXSocket.pair
        #{children}.times do |n|
          reading = Evented { one.read(1) }
          raise "child" unless Process.wait2(fork { sleep 0.0001; exit!(n % 100) }).last.exitstatus == n % 100
          other.write("x")
          raise "lost" unless reading.value == "x"
        end
        report("same", Dir.children("/proc/self/fd").size == before + 2)
      end
      report("parent", Workload.run)
    RUBY
    tell "#{children} children, one after the other, each while a read was in flight"
  end

  # `report` adds a line to the file of all processes; `both` forks, has both do the workload, and waits for the child.
  PRELUDE = "require \"#{ROOT}/test/support/workload\"\n#{<<~'RUBY'}".freeze
    def report(who, what) = File.open(ENV.fetch("REPORT"), "a") { |file| file.write("#{who}: #{what.inspect}\n") }

    def both
      # The workload makes reactors of its own.
      Fiber.set_scheduler(nil) if Fiber.scheduler && !Fiber.current_scheduler
      child = fork { report("child", Workload.run) }
      report("parent", Workload.run)
      Process.wait(child)
    end

    def ask(listener, number)
      TCPSocket.open("127.0.0.1", listener.local_address.ip_port) { |socket| socket.puts(number) || socket.gets }
    end
  RUBY
  private_constant :PRELUDE

  private

  # Runs a script, and waits until every process of it has ended.
  #
  # @return [Array<Array(String, String)>] who reported what, sorted
  def told(script)
    Tempfile.create("report") do |file|
      output, errors, status = ruby(PRELUDE + script, env: { "REPORT" => file.path }, limit: 300)
      assert_predicate status, :success?, "#{status}\n#{errors}"
      assert_empty output + errors
      file.each_line(chomp: true).map { |line| line.split(": ") }.sort_by { |who, what| [who[/\d+/].to_i, who, what] }
    end
  end
end
