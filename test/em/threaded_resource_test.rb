# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"

class EMThreadedResourceTest < Minitest::Test
  include EMRunning

  class Boom < StandardError; end

  def setup
    @resource = EM::ThreadedResource.new { [Thread.current, :resource] }
    @log = []
  end

  def teardown
    @resource.shutdown
    super
  end

  def test_work_is_done_in_a_thread_of_its_own_with_the_resource
    em do
      completion = @resource.dispatch { |resource| [resource, Thread.current] }
      assert_instance_of EM::Completion, completion
      completion.callback { |result| (@log << result << EM.reactor_thread?) && EM.stop }
    end

    resource, thread = @log.first
    assert_equal [Thread.current, :resource], resource
    refute_same Thread.current, thread
    assert @log.last
  end

  def test_work_is_done_one_after_the_other
    em do
      10.times { |n| @resource.dispatch { @log << n } }
      @resource.dispatch { nil }.callback { EM.stop }
    end

    assert_equal (0..9).to_a, @log
  end

  def test_what_work_raises_is_its_failure
    em { @resource.dispatch { raise Boom, "no" }.errback { |error| (@log << error) && EM.stop } }

    assert_equal %w[no], @log.map(&:message)
    assert_instance_of Boom, @log.first
  end

  def test_after_a_failure_the_thread_goes_on
    em do
      @resource.dispatch { raise Boom }
      @resource.dispatch { 5 }.callback { |result| (@log << result) && EM.stop }
    end

    assert_equal [5], @log
  end

  def test_it_can_be_shut_down
    em { @resource.dispatch { Thread.current }.callback { |thread| (@log << thread) && EM.stop } }
    @resource.shutdown

    wait_until { !@log.first.alive? }
  end

  def test_a_resource_has_to_be_made
    assert_raises(LocalJumpError, ArgumentError) { EM::ThreadedResource.new }
  end
end
