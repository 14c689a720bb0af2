# frozen_string_literal: true

require "helper"
require "support/ruby_process"
require "support/stress"

# Signals meet the main thread of a process of its own.
class SignalsTest < Minitest::Test
  TIME_LIMIT = Stress::LONG ? 300 : 60

  WAITS = {
    sleep: "sleep", queue: "Queue.new.pop", pipe: "IO.pipe.first.readpartial(1)",
    socket: "UNIXSocket.pair.first.readpartial(1)", select: "IO.select([IO.pipe.first])",
    process: "system('cat', in: ($pipe = IO.pipe).first)",
    busy: "loop { sleep 0 }", computing: "loop { 1 + 1 }",
    a_full_pipe: "($pipe = IO.pipe).last.write('x' * 1_000_000)",
    a_full_socket: "($pair = UNIXSocket.pair).first.write('x' * 10_000_000)",
    accept: "TCPServer.new('127.0.0.1', 0).accept",
    mutex: "Mutex.new.tap { |mutex| Thread.new { mutex.lock && sleep }.then { sleep 0.001 until mutex.locked? } }.lock",
    condition: "Mutex.new.tap { |mutex| mutex.synchronize { ConditionVariable.new.wait(mutex) } }",
    thread: "Thread.new { sleep }.join", task: "Evented { sleep }.wait",
    semaphore: "Evented::Semaphore.new(1).then { |permits| 2.times { permits.acquire } }",
    timeout: "require 'timeout'; Timeout.timeout(60) { sleep }", evented_timeout: "Evented.timeout(60) { sleep }",
    offload: "Evented.offload { sleep }", enumerator: "Enumerator.new { |values| values << sleep }.next",
    nothing_else: "nil"
  }.freeze

  WAITS.each do |name, code|
    define_method("test_ctrl_c_while_a_fiber_waits_for_#{name}") do
      output, _, status = ruby(<<~RUBY)
        Thread.new { sleep 0.01 until $waiting; sleep 0.05; Process.kill(:INT, $$) }
        begin
          Evented do
            Evented { $waiting = true; #{code} } unless #{name == :queue}
            $waiting = true
            Queue.new.pop
          ensure
            puts "cleaned up"
          end
        rescue Interrupt
          puts "interrupted"
        end
      RUBY

      assert_predicate status, :success?, output
      assert_equal "cleaned up\ninterrupted\n", output
    end
  end

  def test_ctrl_c_in_a_scheduler_that_was_set_by_hand
    assert_equal "cleaned up\ninterrupted\n", interrupted(<<~RUBY)
      begin
        Fiber.set_scheduler(Evented::Scheduler.new)
        Fiber.schedule { begin; waiting; sleep; ensure; puts "cleaned up"; end }
        Fiber.scheduler.run
      rescue Interrupt
        Fiber.set_scheduler(nil)
        puts "interrupted"
      end
    RUBY
  end

  def test_ctrl_c_while_fibers_clean_up
    assert_equal "cleans up\ninterrupted\n", interrupted(<<~RUBY)
      begin
        Evented do
          Evented { begin; sleep; ensure; puts "cleans up"; waiting; sleep; end }
          raise "the reactor ends"
        end
      rescue Interrupt
        puts "interrupted"
      end
    RUBY
  end

  def test_ctrl_c_in_a_reactor_of_eventmachine
    assert_equal "interrupted\nanother\n", interrupted(<<~RUBY)
      require "evented/eventmachine"
      begin
        EM.run do
          EM.start_server("127.0.0.1", 0)
          EM.add_periodic_timer(0.01) {}
          waiting
        end
      rescue Interrupt
        puts "interrupted"
      end
      EM.run { EM.next_tick { puts "another"; EM.stop } }
    RUBY
  end

  def test_ctrl_c_in_virtual_time
    assert_equal "interrupted\n", interrupted(<<~RUBY)
      require "evented/testing"
      begin
        Evented { Evented::Testing.virtual_time { waiting; loop { sleep 1 } } }
      rescue Interrupt
        puts "interrupted"
      end
    RUBY
  end

  def test_ctrl_c_again_and_again
    assert_equal "#{"interrupted\n" * 20}[]\n", interrupted(<<~RUBY, times: 20)
      require "#{ROOT}/test/support/workload"
      20.times do
        Evented { Evented { waiting; sleep } }
      rescue Interrupt
        puts "interrupted"
      end
      p Workload.run
    RUBY
  end

  # Each round does some of everything, and each part of it checks that nothing of it was lost or came twice.
  def test_a_storm_of_signals_loses_no_wake_up
    seconds = at_length(1, 60)
    output = output_of_ruby(<<~RUBY, limit: seconds + 60)
      require "#{ROOT}/test/support/workload"
      heard = rounds = 0
      trap(:USR1) { heard += 1 }
      me = $$
      storm = fork { Process.kill(:USR1, me) && Thread.pass while Process.ppid == me }
      ending = Process.clock_gettime(Process::CLOCK_MONOTONIC) + #{seconds}
      while rounds.zero? || Process.clock_gettime(Process::CLOCK_MONOTONIC) < ending
        rounds += 1
        wrong = Workload.run
        break if wrong.any?
      end
      Process.kill(:KILL, storm)
      Process.wait(storm)
      p wrong, heard > rounds, [heard, rounds]
    RUBY
    tell "signals heard and rounds of the workload: #{output.lines.last}"

    assert_equal %W[[]\n true\n], output.lines.first(2)
  end

  def test_a_handler_runs_while_the_reactor_sleeps_and_the_wait_goes_on
    output = output_of_ruby(<<~RUBY)
      reader, writer = IO.pipe
      trap(:USR1) { writer.write("from the handler") }
      Evented do
        Evented { Process.kill(:USR1, $$) }
        puts reader.readpartial(100)
      end
    RUBY

    assert_equal "from the handler\n", output
  end

  def test_a_handler_that_raises
    output = output_of_ruby(<<~RUBY)
      trap(:USR1) { raise "from the handler" }
      Thread.new { sleep 0.05; Process.kill(:USR1, $$) }
      begin
        Evented { sleep }
      rescue RuntimeError => error
        puts error.message
      end
    RUBY

    assert_equal "from the handler\n", output
  end

  def test_many_signals
    output = output_of_ruby(<<~RUBY)
      count = 0
      trap(:USR1) { count += 1 }
      Evented do
        50.times { |n| Process.kill(:USR1, $$); sleep 0.0001 until count > n }
      end
      puts count
    RUBY

    assert_equal "50\n", output
  end

  def test_a_handler_that_pushes_to_a_queue_wakes_the_fiber_that_waits_for_it
    output = output_of_ruby(<<~RUBY)
      queue = Queue.new
      trap(:USR1) { queue << "pushed" }
      Thread.new { sleep 0.05; Process.kill(:USR1, $$) }
      Evented { puts queue.pop }
    RUBY

    assert_equal "pushed\n", output
  end

  def test_children_that_end_interrupt_nobody
    output = output_of_ruby(<<~RUBY)
      children = 0
      trap(:CHLD) { children += 1 }
      Evented do
        5.times { Evented { system("true") } }
        sleep 0.001 until children.positive?
      end
      puts "done"
    RUBY

    assert_equal "done\n", output
  end

  def test_term_ends_the_process_and_cleans_up
    output, _, status = ruby(<<~RUBY)
      Thread.new { sleep 0.05; Process.kill(:TERM, $$) }
      Evented do
        sleep
      ensure
        puts "cleaned up"
      end
    RUBY

    assert_equal ["cleaned up\n", Signal.list["TERM"]], [output, status.termsig]
  end

  private

  # Runs a script that calls `waiting` when it is to get a Ctrl-C, so many times.
  #
  # @return [String] what it wrote; it has to end well
  def interrupted(script, times: 1)
    output, errors, status = ruby(<<~RUBY)
      $called = Thread::Queue.new
      def waiting = $called << true
      main = Thread.main
      Thread.new do
        #{times}.times do
          $called.pop
          sleep 0.01 until main.status == "sleep" || #{script.include?("virtual_time")}
          Process.kill(:INT, $$)
        end
      end
      #{script}
    RUBY
    assert_predicate status, :success?, "#{status}\n#{errors}"
    output
  end
end
