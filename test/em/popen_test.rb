# frozen_string_literal: true

require "rbconfig"
require "support/event_machine"

# Processes.
class EMPopenTest < Minitest::Test
  # Notes how its process ended.
  class Process < Told
    def unbind(*)
      @log << [:pid, get_pid] << [:status, get_status.exitstatus || get_status.termsig]
      super
    end
  end

  def setup
    @log = []
  end

  def test_what_it_writes_is_received_and_its_end_is_told
    em { EM.popen("echo hello world", Process, @log, :it, unbind: ->(*) { EM.stop }) }

    assert_includes @log, [:it, :receive_data, "hello world\n"]
    assert_includes @log, [:status, 0]
    assert_equal [:it, :unbind, nil], @log.last
  end

  def test_what_is_sent_is_its_input
    em do
      EM.popen("cat", Process, @log, :it, receive_data: ->(connection, _) { connection.close_connection },
                                          unbind: ->(*) { EM.stop }) { |cat| cat.send_data("meow") }
    end

    assert_includes @log, [:it, :receive_data, "meow"]
  end

  def test_a_string_is_split_as_by_a_shell_but_no_shell_is_asked
    assert_equal "[\"-e\"]\n[\"$HOME  *\"]\n", output_of("#{ruby_and} 'p [ARGV.shift]; p ARGV' -- -e '$HOME  *'")
  end

  def test_an_array_is_taken_as_it_is
    assert_equal "a  b|c\n", output_of(["printf", "%s|%s\n", "a  b", "c"])
  end

  def test_the_status_is_that_of_the_process
    assert_equal 3, status_of("sh -c 'exit 3'")
  end

  def test_a_process_that_was_killed
    assert_equal Signal.list["TERM"], status_of("sh -c 'kill -TERM $$'")
  end

  def test_what_can_not_be_executed_ends_with_a_status_of_its_own
    assert_equal 255, status_of("/no/such/program")
  end

  def test_the_pid_is_known_from_the_beginning_to_the_end
    em do
      EM.popen("sh -c 'echo $$'", Process, @log, :it, unbind: lambda { |*|
        EM.stop
      }) { |made| @log << [:made, made.get_pid] }
    end
    pid = @log.assoc(:made).last

    assert_includes @log, [:it, :receive_data, "#{pid}\n"]
    assert_includes @log, [:pid, pid]
  end

  def test_too_many_arguments_are_an_error
    em do
      @log << assert_raises(RuntimeError) { EM.popen(["true"] * 2048) }.message
      EM.stop
    end

    assert_equal ["too many arguments to popen"], @log
  end

  def test_no_command_is_an_error
    em do
      assert_raises(RuntimeError) { EM.popen("") }
      EM.stop
    end
  end

  def test_no_process_is_left_behind
    em { EM.popen("true", Process, @log, :it, unbind: ->(*) { EM.stop }) }
    pid = @log.assoc(:pid).last

    assert_raises(Errno::ECHILD) { ::Process.wait(pid) }
  end

  def test_much_is_received
    received = 0
    em do
      EM.popen([RbConfig.ruby, "-e", "print 'x' * 1_000_000"], Process, [], :it,
               receive_data: ->(_, data) { received += data.bytesize }, unbind: ->(*) { EM.stop })
    end

    assert_equal 1_000_000, received
  end

  def test_a_process_that_goes_on_after_its_output_ended_does_not_hold_up_the_reactor
    not_of_eventmachine "waits for half a second, and more"
    ticks = 0
    em do
      EM.add_periodic_timer(0.01) { ticks += 1 }
      EM.popen("sh -c 'exec <&- >&-; sleep 0.4; exit 5'", Process, @log, :it, unbind: ->(*) { EM.stop })
    end

    assert_includes @log, [:status, 5]
    assert_operator ticks, :>, 20
  end

  def test_a_process_that_does_not_end_is_told_to
    em do
      EM.popen("sleep 60", Process, @log, :it, unbind: ->(*) { EM.stop }, &:close_connection)
    end

    assert_includes @log, [:status, Signal.list["TERM"]]
  end

  # --- EM.system

  def test_system_tells_output_and_status
    em do
      pid = EM.system("sh -c 'echo out; exit 2'") do |output, status|
        @log << output << status.exitstatus << (status.pid == pid)
        EM.stop
      end
    end

    assert_equal ["out\n", 2, true], @log
  end

  def test_system_takes_arguments
    em do
      EM.system("printf", "%s|", "a b", "c") { |output, _| EM.stop if @log << output }
    end

    assert_equal ["a b|c|"], @log
  end

  def test_system_takes_a_callable_last
    em do
      EM.system("echo", "x", ->(output, status) { EM.stop if @log << output << status.success? })
    end

    assert_equal ["x\n", true], @log
  end

  def test_the_first_of_two_callables_is_given_the_process
    em do
      EM.system("cat", ->(process) { process.send_data("meow") and process.close_connection_after_writing },
                ->(_, status) { EM.stop if @log << status.class })
    end

    assert_equal [::Process::Status], @log
  end

  def test_a_deferrable_child_process_succeeds_with_its_output
    em do
      EM::DeferrableChildProcess.open("echo hello").callback { |output| EM.stop if @log << output }
    end

    assert_equal ["hello\n"], @log
  end

  # --- watching

  def test_the_end_of_a_process_is_told
    not_of_eventmachine "can not watch processes on Linux"
    log = @log
    handler = Module.new do
      define_method(:process_exited) { log << [:exited, pid] }
      define_method(:unbind) { EM.stop if log << :unbind }
    end
    child = spawn("sleep", "0.05")
    em { EM.watch_process(child, handler) }

    assert_equal [[:exited, child], :unbind], @log
  ensure
    ::Process.wait(child) if child
  end

  def test_watching_a_process_can_be_stopped
    not_of_eventmachine "can not watch processes on Linux"
    log = @log
    handler = Module.new do
      define_method(:process_exited) { log << :exited }
      define_method(:unbind) { EM.stop if log << :unbind }
    end
    child = spawn("sleep", "60")
    em do
      watch = EM.watch_process(child, handler)
      @log << watch.pid
      EM.add_timer(0.01) { watch.stop_watching }
    end

    assert_equal [child, :unbind], @log
  ensure
    ::Process.kill(:KILL, child) && ::Process.wait(child) if child
  end

  def test_a_process_that_is_not_there_can_not_be_watched
    em do
      assert_raises(EM::Unsupported) { EM.watch_process((2**22) + 1) }
      EM.stop
    end
  end

  private

  def ruby_and = "#{RbConfig.ruby} -e"

  def output_of(command)
    output = +""
    em { EM.popen(command, Process, [], :it, receive_data: ->(_, data) { output << data }, unbind: ->(*) { EM.stop }) }
    output
  end

  def status_of(command)
    em { EM.popen(command, Process, @log, :it, unbind: ->(*) { EM.stop }) }
    @log.assoc(:status).last
  end
end
