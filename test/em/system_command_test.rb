# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"
require "support/stress"

class EMSystemCommandTest < Minitest::Test
  include EMRunning

  def test_the_output_and_the_status_of_a_command_are_told
    output, status = run_command("echo hello")

    assert_equal ["hello\n", 0], [output, status.exitstatus]
    assert_instance_of Process::Status, status
  end

  def test_it_returns_the_pid
    pid = nil
    status = nil
    em do
      pid = EM.system("echo") { |_, told| (status = told) && EM.stop }
    end

    assert_equal pid, status.pid
  end

  def test_arguments_are_given_as_they_are
    assert_equal "a  b $HOME *\n", run_command("echo", "a  b", "$HOME", "*").first
    assert_equal "a b $HOME;\n", run_command("echo 'a b' $HOME;").first
  end

  def test_how_it_ends_is_told
    assert_equal 3, run_command("sh", "-c", "exit 3").last.exitstatus
    assert_equal 9, run_command("sh", "-c", "kill -9 $$").last.termsig
    assert_equal 255, run_command("/nonexistent/command").last.exitstatus
  end

  def test_the_callback_may_be_a_proc
    output = nil
    em { EM.system("echo hello", ->(text, _) { (output = text) && EM.stop }) }

    assert_equal "hello\n", output
  end

  def test_of_two_procs_the_first_gets_the_process_and_may_give_it_input
    output = nil
    klass = nil
    init = lambda do |process|
      klass = process.class
      process.send_data("echo from $0\nexit 4\n")
    end
    em { EM.system("sh", init, ->(text, status) { (output = [text, status.exitstatus]) && EM.stop }) }

    assert_equal [["from sh\n", 4], EM::SystemCmd], [output, klass]
  end

  def test_with_a_block_one_proc_gets_the_process
    output = nil
    em { EM.system("sh", ->(process) { process.send_data("exit 5\n") }) { |_, told| (output = told) && EM.stop } }

    assert_equal 5, output.exitstatus
  end

  def test_nobody_has_to_be_told
    em do
      assert_kind_of Integer, EM.system("true")
      EM.add_timer(0.05) { EM.stop }
    end
  end

  def test_a_lot_of_output_comes_whole
    assert_equal 1_000_000, run_command("head -c 1000000 /dev/zero").first.bytesize
  end

  # Linux up to 6.19 loses the end of a unix socket now and then, under a multishot receive.
  def test_the_end_behind_a_lot_of_output_is_always_heard_of
    at_length(20, 2_000).times do
      assert_equal 1_000_000, run_command("head -c 1000000 /dev/zero").first.bytesize
    end
  end

  private

  def run_command(*words)
    result = nil
    em { EM.system(*words) { |output, status| (result = [output, status]) && EM.stop } }
    result
  end
end
