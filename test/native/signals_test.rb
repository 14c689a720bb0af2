# frozen_string_literal: true

require "helper"
require "support/ruby_process"

# Signals meet the main thread of a process of its own.
class SignalsTest < Minitest::Test
  WAITS = {
    sleep: "sleep", queue: "Queue.new.pop", pipe: "IO.pipe.first.readpartial(1)",
    socket: "UNIXSocket.pair.first.readpartial(1)", select: "IO.select([IO.pipe.first])",
    process: "system('cat', in: ($pipe = IO.pipe).first)",
    busy: "loop { sleep 0 }"
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
end
