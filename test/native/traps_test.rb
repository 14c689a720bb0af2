# frozen_string_literal: true

require "helper"
require "support/ruby_process"

# A signal's handler runs in the middle of whatever the main thread does, also while a fiber is being given control: on
# that fiber. It may wait there.
class TrapsTest < Minitest::Test
  def test_handlers_that_sleep_lose_nobody
    assert_equal "4\n", output_of_ruby(<<~RUBY)
      trap(:USR1) { sleep 0.0005 }
      storm = fork { 200.times { Process.kill(:USR1, Process.ppid) && sleep(0.001) } }
      done = 0
      over = false
      Evented do
        4.times { Evented { sleep(0) until over; done += 1 } }
        over = Process.wait(storm)
      end
      puts done
    RUBY
  end

  def test_handlers_that_sleep_lose_no_bytes
    assert_equal "done\n", output_of_ruby(<<~RUBY)
      trap(:USR1) { sleep 0.0005 }
      storm = fork { 200.times { Process.kill(:USR1, Process.ppid) && sleep(0.001) } }
      Evented do
        one, other = UNIXSocket.pair
        Evented { while (byte = other.read(1)); other.write(byte); end }
        until Process.wait(storm, Process::WNOHANG)
          one.write("x")
          raise "lost" unless one.read(1) == "x"
        end
        one.close
      end
      puts "done"
    RUBY
  end

  def test_tasks_that_a_trap_keeps_from_beginning_begin_later
    assert_equal "0\n", output_of_ruby(<<~RUBY)
      trap(:USR1) { sleep 0 }
      storm = fork { 500.times { Process.kill(:USR1, Process.ppid) && sleep(0.0003) } }
      begun = done = 0
      start_one = proc { begun += 1; Evented { Thread.current[:trace] = "so that the next has a new fiber"; done += 1 }.wait }
      over = false
      Evented do
        4.times { Evented { start_one.call until over } }
        over = Process.wait(storm)
      end
      puts begun - done
    RUBY
  end
end
