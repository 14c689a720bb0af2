# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"

class EMDeferrableChildProcessTest < Minitest::Test
  include EMRunning

  def test_it_succeeds_with_its_output
    assert_equal "a b\n", output_of("echo a b")
    assert_equal "a  b\n", output_of(["echo", "a  b"])
  end

  def test_it_succeeds_however_it_ends
    status = nil
    em do
      process = EM::DeferrableChildProcess.open(["sh", "-c", "echo out; exit 3"])
      assert_instance_of EM::DeferrableChildProcess, process
      process.callback { |output| (status = [output, process.get_status.exitstatus]) && EM.stop }
    end

    assert_equal ["out\n", 3], status
  end

  def test_a_subclass_opens_its_own
    skip "EventMachine's opens what it knows" if ENV["EM_ORACLE"]
    klass = Class.new(EM::DeferrableChildProcess)
    em do
      assert_instance_of klass, klass.open("true")
      EM.stop
    end
  end

  def test_a_fiber_waits_for_it
    skip "EventMachine has no fibers" if ENV["EM_ORACLE"]
    output = nil
    em do
      output = EM::DeferrableChildProcess.open("echo hello").wait
      EM.stop
    end

    assert_equal "hello\n", output
  end

  private

  def output_of(command)
    result = nil
    em { EM::DeferrableChildProcess.open(command).callback { |output| (result = output) && EM.stop } }
    result
  end
end
