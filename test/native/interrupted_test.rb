# frozen_string_literal: true

require "helper"
require "socket"
require "support/scheduled"
require "timeout"

# Exceptions from outside, Timeout's and Fiber#raise's, at awkward moments: in an Enumerator, from outside of the loop,
# in the middle of a stream.
class InterruptedTest < Minitest::Test
  class Stop < StandardError; end

  def test_a_timeout_over_an_enumerator_that_waits
    order = []
    in_reactor do
      Evented do
        never = Enumerator.new { |yielder| yielder << Queue.new.pop }
        order << outcome { Timeout.timeout(0.01) { never.next } }.class
        wait_until { order.size == 3 }
        order << :went_on
      end
      2.times { Evented { wait_until { order.any? } && (order << :ended) } }
    end

    assert_equal [Timeout::Error, :ended, :ended, :went_on], order
  end

  def test_raising_from_an_enumerator_in_a_fiber_that_waits
    order = []
    in_reactor do
      waiting = Fiber.schedule { order << outcome { Queue.new.pop }.class }
      Evented do
        values = Enumerator.new { |yielder| waiting.raise(Stop) || (yielder << 1) }
        order << values.next
      end
    end

    assert_equal [Stop, 1], order
  end

  def test_killing_from_an_enumerator_a_fiber_that_waits
    order = []
    in_reactor do
      waiting = Fiber.schedule do
        Queue.new.pop
      ensure
        order << :killed
      end
      Evented { order << Enumerator.new { |yielder| waiting.kill && (yielder << 1) }.next }
    end

    assert_equal [:killed, 1], order
  end

  def test_a_timeout_that_is_due_while_another_fiber_is_raised_in
    order = []
    with_scheduler do |scheduler|
      one, _one_peer = UNIXSocket.pair
      other, _other_peer = UNIXSocket.pair
      parked { order << outcome { Timeout.timeout(0.01) { one.readpartial(1) } }.class }
      raised = parked { order << outcome { other.readpartial(1) }.class }
      due = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 0.05
      Thread.pass until Process.clock_gettime(Process::CLOCK_MONOTONIC) > due
      raised.raise(Stop)
      scheduler.run
    end

    assert_equal [Stop, Timeout::Error].to_set, order.to_set
  end

  def test_timeouts_around_reads_of_a_socket_lose_no_bytes
    in_reactor do
      Array.new(8) { Evented { assert_stream_arrives_whole(*UNIXSocket.pair) } }.each(&:wait)
    end
  end

  def test_timeouts_around_reads_of_a_pipe_lose_no_bytes
    in_reactor do
      Array.new(4) { Evented { assert_stream_arrives_whole(*IO.pipe) } }.each(&:wait)
    end
  end

  def test_raising_from_outside_of_the_loop_in_a_fiber_that_goes_on_waiting
    order = []
    with_scheduler do |scheduler|
      queue = Queue.new
      raised = parked { order << outcome { Queue.new.pop }.class << queue.pop }
      ending = parked { sleep 0.001 }
      parked do
        wait_until { !ending.alive? && order.any? }
        queue << :went_on
      end
      raised.raise(Stop)
      order << :back
      scheduler.run
    end

    assert_equal [Stop, :went_on], order - [:back]
    assert_includes order, :back
  end

  def test_killing_from_outside_of_the_loop_a_fiber_that_waits
    order = []
    with_scheduler do |scheduler|
      killed = parked do
        Queue.new.pop
      ensure
        order << :killed
      end
      parked { sleep(0.001) && (order << :ended) }
      killed.kill
      scheduler.run
    end

    assert_equal %i[killed ended], order
  end

  def test_rescuing_standard_errors_does_not_swallow_a_timeout
    scheduled do
      rescued = nil
      error = assert_raises(Timeout::Error) do
        Timeout.timeout(0.01) do
          Queue.new.pop
        rescue StandardError => e
          rescued = e
        end
      end

      assert_equal "execution expired", error.message
      assert_nil rescued
    end
  end

  def test_an_outer_timeout_is_not_rescued_as_the_inner_one
    scheduled do
      rescued = nil
      assert_raises(Timeout::Error) do
        Timeout.timeout(0.01) do
          Timeout.timeout(60) { Queue.new.pop }
        rescue Timeout::Error => e
          rescued = e
        end
      end

      assert_nil rescued
    end
  end

  def test_an_inner_timeout_is_rescued_inside_of_the_outer_one
    scheduled do
      value = Timeout.timeout(60) do
        Timeout.timeout(0.01) { Queue.new.pop }
      rescue Timeout::Error
        :inner
      end

      assert_equal :inner, value
    end
  end

  def test_a_class_of_its_own_is_what_a_timeout_raises
    scheduled do
      value = Timeout.timeout(0.01, Stop, "enough") do
        Queue.new.pop
      rescue Stop => e
        e.message
      end

      assert_equal "enough", value
    end
  end

  def test_who_raises_in_a_fiber_that_is_raising_itself_goes_on
    order = []
    first = nil
    in_reactor do
      waiting = Fiber.schedule { outcome { Queue.new.pop } && sleep(0.001) }
      Fiber.schedule do
        first = Fiber.current
        sleep 0
        order << outcome { waiting.raise(Stop) }.class
      end
      Fiber.schedule do
        sleep 0
        first.raise(Stop)
        order << :second_went_on
      end
    end

    assert_equal [Stop, :second_went_on], order
  end

  def test_who_raises_twice_in_a_fiber_whose_work_goes_on_elsewhere_goes_on
    order = []
    in_reactor do
      scheduler = Fiber.scheduler
      ticket = nil
      waiting = Fiber.schedule { order << outcome { scheduler.__offload { |number| ticket = number } }.message }
      Fiber.schedule do
        %w[first second].each do |text|
          waiting.raise(Stop, text)
          order << :"after_#{text}"
        end
      end
      Fiber.schedule { wait_until { order.include?(:after_second) } && scheduler.__offloaded(ticket) }
    end

    assert_equal [:after_first, :after_second, "second"], order
  end

  def test_a_timeout_does_not_resume_an_enumerator_that_has_yielded
    in_company do
      values = Enumerator.new do |yielder|
        Timeout.timeout(0.005) { (yielder << 1) && (yielder << 2) }
        yielder << 3
      end
      assert_equal 1, values.next
      sleep 0.01

      assert_equal [2, 3], [values.next, values.next]
    end
  end

  def test_a_cancelled_write_that_had_moved_some_bytes_is_cancelled_all_the_same
    one, _other = UNIXSocket.pair
    cancelled = nil
    with_scheduler do |scheduler|
      writing = parked { cancelled = outcome { one.write("x" * 5_000_000) } }

      assert scheduler.__interrupt(writing, Stop.new)
    end

    assert_instance_of Stop, cancelled
  end

  def test_what_an_interrupted_fiber_did_not_hear_of_is_forgotten_when_it_has_ended
    in_company do |scheduler|
      one, other = UNIXSocket.pair
      got = nil
      deaf = parked { got = outcome { one.readpartial(1) } }
      sleep 0.001 # the kernel has been asked
      other.write("x")
      assert scheduler.__interrupt(deaf, Stop.new)
      wait_until { !deaf.alive? }
      # Either the read has succeeded all the same, and there was no other wait to raise it at, or nothing was read.
      assert_includes ["x", Stop], got.is_a?(Stop) ? Stop : got
      other.write("y")

      assert_equal got == "x" ? "y" : "x", one.readpartial(1)
    end
  end

  def test_a_fiber_that_was_abandoned_can_still_be_raised_in
    one, _other = UNIXSocket.pair
    stubborn = nil
    errors = []
    thread = Thread.new do
      Fiber.set_scheduler(Evented::Scheduler.new)
      Fiber.schedule do
        stubborn = Fiber.current
        while Fiber.scheduler
          begin
            one.readpartial(1)
          ensure
            errors << $!.class
            next # not even Fiber#kill gets past this
          end
        end
      end
      begin
        capture_io { raise "the thread ends" rescue Fiber.set_scheduler(nil) } # rubocop:disable Style/RescueModifier
      ensure
        stubborn.raise(Stop) if stubborn.alive?
      end
    end
    thread.join

    assert_includes errors, Evented::Scheduler::Closing
    refute_predicate stubborn, :alive?
  end

  private

  # Writes at an uneven pace, so that timeouts come at every moment of a read.
  def assert_stream_arrives_whole(reader, writer)
    received = +""
    # It keeps the end to itself: closing suspends on Ruby 3.4, so a failure would reach the parent before it waits.
    task = Evented do
      loop { read_for_a_moment(reader, received) }
    rescue EOFError
      :at_its_end
    end
    sent = +""
    (1..400).each do |n|
      chunk = [n].pack("N") * (1 + ((n * 37) % 200))
      sent << chunk
      writer.write(chunk)
      sleep((n % 5) * 0.0001) if (n % 3).zero?
    end
    writer.close

    assert_equal :at_its_end, task.value
    assert_equal sent.bytesize, received.bytesize
    assert_equal sent, received, "the stream has changed"
  end

  def read_for_a_moment(reader, received)
    Timeout.timeout(0.0001 + (received.bytesize % 17 * 0.0001)) { loop { received << reader.readpartial(3000) } }
  rescue Timeout::Error
    # The next one goes on where this one was interrupted.
  end
end
