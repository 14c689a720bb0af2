# frozen_string_literal: true

require "helper"
require "support/ruby_process"

class MailboxTest < Minitest::Test
  class Boom < StandardError; end

  def test_messages_are_received_in_the_order_in_which_they_were_sent
    in_reactor do
      receiver = Evented { Array.new(3) { Evented.receive } }
      assert_same receiver.mailbox, receiver.mailbox << 1 << nil
      receiver.mailbox.push(false)

      assert_equal [1, nil, false], receiver.value
    end
  end

  def test_messages_wait_for_who_receives_them
    in_reactor do
      gate = Queue.new
      receiver = Evented { gate.pop && Array.new(2) { Evented.receive } }
      receiver.mailbox << 1 << 2
      assert_equal [2, false], [receiver.mailbox.size, receiver.mailbox.empty?]
      assert_match(/\A#<Evented::Mailbox of #<Evented::Task .*> size=2>\z/, receiver.mailbox.inspect)
      gate << true

      assert_equal [1, 2], receiver.value
      assert_empty receiver.mailbox
    end
  end

  def test_a_task_may_write_to_itself
    in_reactor do |task|
      task.mailbox << :me

      assert_equal :me, Evented.receive
    end
  end

  def test_each_task_has_its_own
    in_reactor do |root|
      one, other = Array.new(2) { Evented { Evented.receive } }
      one.mailbox << :one
      other.mailbox << :other
      root.mailbox << :root

      assert_equal %i[one other root], [one.value, other.value, Evented.receive]
    end
  end

  def test_messages_come_from_any_thread_and_any_reactor
    in_reactor do |task|
      threads = [Thread.new { 50.times { |number| task.mailbox << number } },
                 Thread.new { Evented.run { 50.times { |number| sleep(0) && (task.mailbox << number) } } }]
      received = Array.new(100) { Evented.receive(timeout: 5) }
      threads.each(&:join)

      assert_equal [*0...50, *0...50].sort, received.sort
    end
  end

  def test_a_mailbox_that_many_threads_ask_for_first_is_one
    in_reactor do
      20.times do
        task = Evented { sleep }
        boxes = Array.new(4) { Thread.new { task.mailbox } }.map(&:value)
        task.cancel
        assert_equal 1, boxes.uniq.size
      end
    end
  end

  def test_a_block_picks_and_the_others_stay_in_their_order
    in_reactor do |task|
      task.mailbox << 1 << { type: :answer, body: "yes" } << 2 << 3
      answer = Evented.receive { |message| message in { type: :answer } }

      assert_equal "yes", answer[:body]
      assert_equal(3, Evented.receive { |message| message.is_a?(Integer) && message > 2 })
      assert_equal [1, 2], Array.new(2) { Evented.receive }
    end
  end

  def test_a_block_waits_for_what_it_wants
    in_reactor do
      receiver = Evented { [Evented.receive(&:even?), Evented.receive, Evented.receive] }
      [1, 3, 4].each { |number| (receiver.mailbox << number) && sleep(0) }

      assert_equal [4, 1, 3], receiver.value
    end
  end

  def test_a_block_that_fails_loses_nothing
    in_reactor do |task|
      task.mailbox << 1 << 2
      assert_raises(Boom) { Evented.receive { raise Boom } }

      assert_equal [1, 2], Array.new(2) { Evented.receive }
    end
  end

  def test_a_stop_iteration_of_the_block_is_raised
    in_reactor do |task|
      task.mailbox << :kept
      assert_raises(StopIteration) { Evented.receive { raise StopIteration } }
      assert_equal :kept, Evented.receive
    end
  end

  def test_a_signal_handler_may_write
    assert_equal "hello\n", output_of_ruby(<<~RUBY)
      Evented do |task|
        mailbox = task.mailbox
        trap(:USR1) { mailbox << "hello" }
        Process.kill(:USR1, $$)
        puts Evented.receive
      end
    RUBY
  end

  def test_a_timeout
    Evented::Testing.virtual_time do |task|
      began = Evented.clock
      error = assert_raises(Evented::TimeoutError) { Evented.receive(timeout: 5) }
      assert_match(/within 5 s/, error.message)
      assert_in_delta 5, Evented.clock - began, 1e-6

      Evented { sleep(3) && (task.mailbox << :late) }
      assert_equal :late, Evented.receive(timeout: 5)
    end
  end

  def test_no_time_at_all_takes_what_is_there
    in_reactor do |task|
      assert_raises(Evented::TimeoutError) { Evented.receive(timeout: 0) }
      task.mailbox << 1

      assert_equal 1, Evented.receive(timeout: 0)
    end
  end

  def test_what_was_looked_at_before_a_timeout_is_not_lost
    Evented::Testing.virtual_time do |task|
      task.mailbox << 1 << 3
      assert_raises(Evented::TimeoutError) { Evented.receive(timeout: 5, &:even?) }

      assert_equal [1, 3], Array.new(2) { Evented.receive }
    end
  end

  def test_receiving_can_be_cancelled
    in_reactor do
      receiver = Evented { Evented.receive }
      receiver.cancel

      assert_equal :cancelled, receiver.ended
    end
  end

  def test_who_has_ended_receives_nothing
    task = Evented { |me| me.mailbox << :dropped }

    assert_match(/has ended/, assert_raises(Evented::ClosedError) { task.mailbox << 1 }.message)
    assert_raises(Evented::ClosedError) { Evented { sleep(0) }.mailbox << 1 }
  end

  def test_waiting_for_a_message_that_nobody_can_send_is_a_deadlock
    output, = ruby("Evented { Evented.receive } rescue puts $!.class")

    assert_equal "Evented::Deadlock\n", output
  end

  def test_bad_input_is_refused
    in_reactor do
      assert_raises(ArgumentError) { Evented.receive(timeout: -1) }
      assert_raises(TypeError) { Evented.receive(timeout: "1") }
      assert_raises(ArgumentError) { Evented.receive(color: 1) }
    end
    assert_match(/wrap the code/, assert_raises(Evented::Error) { Evented.receive }.message)
  end
end
