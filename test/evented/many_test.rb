# frozen_string_literal: true

require "helper"

class ManyTest < Minitest::Test
  class Boom < StandardError; end

  # Enumerable in name only: it has each.
  class Numbers
    def each(&) = 3.times(&)
  end

  def test_map_gives_the_values_in_the_order_of_the_items
    in_reactor do
      ended = []
      values = Evented.map([3, 1, 2]) { |turns| turns.times { sleep 0 } && (ended << turns) && (turns * 10) }

      assert_equal [[30, 10, 20], [1, 2, 3]], [values, ended]
    end
  end

  def test_map_has_at_most_so_many_at_once
    running = 0
    most = 0
    in_reactor do
      Evented.map(1..50, limit: 7) do
        most = [most, running += 1].max
        sleep 0
        running -= 1
      end
    end

    assert_equal [7, 0], [most, running]
  end

  def test_map_takes_no_more_items_than_it_may_have
    taken = 0
    source = Enumerator.new { |yielder| 20.times { |number| (taken += 1) && (yielder << number) } }
    gate = Queue.new
    in_reactor do
      task = Evented { Evented.map(source, limit: 5) { gate.pop } }
      # The sixth has been asked for, and waits for room.
      assert_equal 6, taken
      gate.close
      assert_equal [nil] * 20, task.value
    end
  end

  def test_a_slow_item_holds_no_other_one_up
    Evented::Testing.virtual_time do
      began = Evented.clock
      Evented.map([100, *[10] * 10], limit: 2) { |seconds| sleep seconds }

      assert_in_delta 100, Evented.clock - began, 1e-6
    end
  end

  def test_map_works_with_whatever_can_be_enumerated
    in_reactor do
      assert_equal [0, 2, 4], Evented.map(Numbers.new) { |number| number * 2 }
      assert_equal [[:a, 1], [:b, 2]], Evented.map({ a: 1, b: 2 }) { |key, value| [key, value] }
      assert_equal [["a", 0], ["b", 1]], Evented.map(%w[a b].each_with_index) { |letter, index| [letter, index] }
      assert_equal [], Evented.map([]) { flunk }
      assert_equal %w[1 2], Evented.map([1, 2], &:to_s)
      assert_equal [1, 2], Evented.map([-1, 2], &:abs.to_proc)
    end
  end

  def test_outside_of_a_reactor_it_runs_one
    assert_equal([1, 4, 9], Evented.map(1..3) { |number| sleep(0) && (number * number) })
    assert_equal([1, 2], Evented.all(-> { sleep(0) && 1 }, -> { 2 }))
    assert_equal(:quick, Evented.race(-> { sleep }, -> { sleep(0) && :quick }))
    assert_nil Fiber.scheduler
  end

  def test_the_enumeration_may_wait
    Evented::Testing.virtual_time do
      source = Enumerator.new { |yielder| 3.times { |number| sleep(10) && (yielder << number) } }
      began = Evented.clock
      values = Evented.map(source) { |number| sleep(100) && number }

      assert_equal [0, 1, 2], values
      assert_in_delta 130, Evented.clock - began, 1e-6
    end
  end

  def test_the_first_failure_cancels_the_others_and_is_raised_when_they_have_cleaned_up
    in_reactor do
      cleaned = []
      error = assert_raises(Boom) do
        Evented.map(1..5) do |number|
          sleep(0) && raise(Boom, "number 3") if number == 3

          sleep
        ensure
          sleep(0) && (cleaned << number)
        end
      end

      assert_equal ["number 3", [1, 2, 3, 4, 5]], [error.message, cleaned.sort]
      assert_empty Evented::Task.current.children
    end
  end

  def test_after_a_failure_no_more_items_are_taken
    taken = []
    in_reactor do
      assert_raises(Boom) { Evented.map(1..1000) { |number| (taken << number) && raise(Boom) } }
      assert_operator taken.size, :<, 1000
      assert_raises(Boom) { Evented.map(1.., limit: 2) { |number| number == 7 ? raise(Boom) : sleep(0) } }
    end
  end

  def test_several_failures_arrive_together
    in_reactor do
      error = assert_raises(Evented::MultipleErrors) do
        Evented.map(1..3) do |number|
          number == 1 ? (sleep(0) && raise(Boom)) : sleep
        ensure
          raise ArgumentError, "while cleaning up" if number == 2
        end
      end

      assert_equal [Boom, ArgumentError], error.errors.map(&:class)
    end
  end

  def test_a_failure_of_the_enumeration_cancels_all
    in_reactor do
      cleaned = 0
      source = Enumerator.new { |yielder| (yielder << 1) && sleep(0) && raise(Boom) }
      assert_raises(Boom) do
        Evented.map(source) do
          sleep
        ensure
          cleaned += 1
        end
      end

      assert_equal 1, cleaned
    end
  end

  def test_it_is_over_when_what_the_block_started_is
    in_reactor do
      order = []
      Evented.map([1]) { Evented { sleep(0) && (order << :grandchild) } }
      order << :after

      assert_equal %i[grandchild after], order
      assert_raises(Boom) { Evented.map([1]) { Evented { sleep(0) && raise(Boom) } && :value } }
    end
  end

  def test_an_item_that_was_cancelled_has_no_value_to_give
    in_reactor do
      error = assert_raises(Evented::Cancel) do
        Evented.map([0, 1]) { |number| Evented::Task.current.cancel("no value") && sleep if number.zero? }
      end
      assert_equal "no value", error.reason
      assert_raises(Evented::Cancel) { Evented.map([0]) { sleep(0) && Evented::Task.current.cancel && sleep } }
    end
  end

  def test_cancelling_the_caller_cancels_all_and_waits_for_their_clean_up
    each_way do |call|
      cleaned = 0
      in_reactor do
        caller = Evented do
          call.call do
            sleep
          ensure
            sleep(0) && (cleaned += 1)
          end
        end
        caller.cancel

        assert_equal :cancelled, caller.ended
      end
      assert_operator cleaned, :>=, 2
    end
  end

  def test_a_timeout_of_the_caller_leaves_nobody_behind
    each_way do |call|
      cleaned = 0
      in_reactor do
        assert_raises(Evented::TimeoutError) do
          Evented.timeout(0.001) do
            call.call do
              sleep
            ensure
              sleep(0) && (cleaned += 1)
            end
          end
        end
        assert_operator cleaned, :>=, 2
        assert_empty Evented::Task.current.children
      end
    end
  end

  def test_failures_while_they_clean_up_after_a_timeout_are_not_lost
    error = assert_raises(Boom) do
      Evented do
        assert_raises(Evented::TimeoutError) do
          Evented.timeout(0.001) do
            Evented.map([1]) do
              sleep
            ensure
              raise Boom, "while cleaning up"
            end
          end
        end
        sleep
      end
    end

    assert_equal "while cleaning up", error.message
  end

  def test_the_blocks_have_the_deadline_of_their_caller
    in_reactor do
      Evented.timeout(60) do
        mine = Evented.deadline
        each_way do |call|
          seen = []
          call.call { seen << Evented.deadline }
          assert_in_delta mine, seen.fetch(0), 1e-6
        end
        assert_equal([Evented.deadline], Evented.map([1]) { Evented.map([1]) { Evented.deadline } }.flatten)
      end
      assert_equal([nil], Evented.map([1]) { Evented.deadline })
    end
  end

  def test_the_dump_says_where_the_block_is
    in_reactor do
      task = Evented { Evented.map([1]) { sleep } }
      assert_match(/"Evented.map at .*many_test\.rb:#{__LINE__ - 1}" waiting/, Evented.dump)
      task.cancel
    end
  end

  def test_nested_use
    in_reactor do
      tables = Evented.map(1..3) { |row| Evented.map(1..3, limit: 2) { |column| sleep(0) && (row * column) } }

      assert_equal [[1, 2, 3], [2, 4, 6], [3, 6, 9]], tables
      assert_raises(Boom) { Evented.map(1..3) { |row| Evented.map([row]) { sleep(0) && row == 2 && raise(Boom) } } }
    end
  end

  def test_a_lazy_source_gives_a_lazy_result
    started = []
    in_reactor do
      lazy = Evented.map((1..).lazy, limit: 10) { |number| (started << number) && sleep(0) && (number * 2) }
      assert_instance_of Enumerator::Lazy, lazy
      assert_empty started

      assert_equal [2, 4, 6], lazy.first(3)
      assert_operator started.max, :<=, 13
      assert_equal [4, 8], lazy.select { |number| (number % 4).zero? }.first(2)
      assert_empty Evented::Task.current.children
    end
  end

  def test_a_lazy_result_keeps_the_order
    in_reactor do
      values = Evented.map((1..20).lazy, limit: 4) { |number| (number % 3).times { sleep 0 } && number }.to_a

      assert_equal (1..20).to_a, values
    end
  end

  def test_a_lazy_result_comes_as_soon_as_it_is_there
    Evented::Testing.virtual_time do
      source = Enumerator.new { |yielder| loop { sleep(10) && (yielder << Evented.clock) } }
      began = Evented.clock
      Evented.map(source.lazy, limit: 100, &:itself).first(1)

      assert_in_delta 10, Evented.clock - began, 1e-6
    end
  end

  def test_leaving_a_lazy_result_cancels_what_ran_ahead
    cleaned = 0
    in_reactor do
      values = Evented.map((1..).lazy, limit: 5) do |number|
        number == 1 ? :first : sleep
      ensure
        sleep(0)
        cleaned += 1
      end
      assert_equal(:first, values.each { |value| break value if value })

      assert_equal 6, cleaned
      assert_empty Evented::Task.current.children
    end
  end

  def test_a_lazy_result_can_be_fetched_one_by_one_and_be_forgotten
    in_reactor do
      values = Evented.map((1..).lazy, limit: 5) { |number| sleep(0) && number }.each_entry

      assert_equal [1, 2, 3], Array.new(3) { values.next }
    end
  end

  def test_a_failure_of_a_lazy_one_is_raised_for_who_fetches
    in_reactor do
      error = assert_raises(Boom) do
        Evented.map((1..).lazy, limit: 5) { |number| number == 8 ? raise(Boom, "eight") : (sleep(0) && number) }.to_a
      end
      assert_equal "eight", error.message
      assert_raises(Boom) { Evented.map(Enumerator.new { raise Boom }.lazy) { flunk }.first(1) }
      assert_raises(Evented::Cancel) do
        Evented.map((1..2).lazy) { sleep(0) && Evented::Task.current.cancel && sleep }.first(1)
      end
      sleep 0
      assert_empty Evented::Task.current.children
    end
  end

  def test_a_failure_of_who_fetches_cancels_what_ran_ahead
    in_reactor do
      values = Evented.map((1..).lazy) { |number| sleep(0) && number }
      assert_raises(Boom) { values.each { |number| raise Boom if number } }
      assert_empty Evented::Task.current.children
    end
  end

  def test_a_stop_iteration_of_who_fetches_is_no_end
    in_reactor do
      fetching = Evented.map((1..6).lazy, limit: 2, &:itself).map { |n| n < 3 ? n : raise(StopIteration) }
      assert_raises(StopIteration) { fetching.to_a }
    end
  end

  def test_a_lazy_result_outside_of_a_reactor_is_made_in_portions
    started = []
    values = Evented.map((1..).lazy, limit: 4) { |number| (started << number) && sleep(0) && number }.first(5)

    assert_equal [[1, 2, 3, 4, 5], (1..8).to_a], [values, started]
    assert_nil Fiber.scheduler
  end

  def test_each_keeps_nothing
    seen = []
    source = 1..10
    in_reactor do
      assert_same source, Evented.each(source, limit: 3) { |number| sleep(0) && (seen << number) }
      assert_equal [*source], seen.sort
      Evented.each((11..12).lazy) { |number| seen << number }
      assert_raises(Boom) { Evented.each(1..) { |number| sleep(0) && number == 200 && raise(Boom) } }
    end
    Evented.each([13]) { |number| seen << number }

    assert_equal [*1..13], seen.sort
  end

  def test_all_gives_the_values_in_order
    in_reactor do
      callable = Object.new.tap { |object| object.define_singleton_method(:call) { :object } }

      assert_equal %i[slow quick object], Evented.all(-> { sleep(0) && :slow }, proc { :quick }, callable)
      assert_equal [], Evented.all
    end
  end

  def test_all_ends_with_the_first_failure
    in_reactor do
      cleaned = false
      assert_raises(Boom) do
        Evented.all(-> { sleep(0) && raise(Boom) }, lambda {
          begin
            sleep
          ensure
            sleep(0) && (cleaned = true)
          end
        })
      end

      assert cleaned
    end
  end

  def test_race_gives_the_value_of_the_first_and_the_others_have_cleaned_up
    in_reactor do
      cleaned = false
      slow = lambda do
        sleep
      rescue Evented::Cancel => e
        assert_equal "another one was faster", e.reason
        raise
      ensure
        sleep(0) && (cleaned = true)
      end

      assert_equal(:quick, Evented.race(slow, -> { sleep(0) && :quick }))
      assert cleaned
      assert_nil(Evented.race(-> {}, -> { flunk }))
    end
  end

  def test_race_is_decided_by_a_failure_too
    in_reactor do
      assert_raises(Boom) { Evented.race(-> { sleep }, -> { sleep(0) && raise(Boom) }) }
      assert_raises(Boom) { Evented.race(-> { raise Boom }, -> { flunk }) }
      assert_empty Evented::Task.current.children
    end
  end

  def test_a_loser_that_fails_while_it_cleans_up_is_heard
    in_reactor do
      loser = lambda do
        sleep
      ensure
        raise Boom, "while cleaning up"
      end

      assert_equal "while cleaning up", assert_raises(Boom) { Evented.race(-> { sleep(0) }, loser) }.message
    end
  end

  def test_losers_that_would_have_ended_in_the_same_turn_do_not_go_on
    in_reactor do
      done = []
      Evented.race(*Array.new(3) { |number| -> { 2.times { sleep 0 } && (done << number) } })

      assert_equal 1, done.size
    end
  end

  def test_first_completed_waits_for_one_and_leaves_the_others_alone
    in_reactor do
      slow = Evented { sleep }
      quick = Evented { sleep(0) && :value }

      assert_same quick, Evented.first_completed([slow, quick])
      assert_predicate slow, :alive?
      assert_same quick, Evented.first_completed([slow, quick, slow])
      slow.cancel
      assert_same slow, Evented.first_completed([slow])
    end
  end

  def test_first_completed_does_not_raise_a_failure_and_does_not_lose_it
    in_reactor do
      sibling = Evented { sleep }
      failing = Evented { sleep(0) && raise(Boom) }
      assert_same failing, Evented.first_completed([sibling, failing])
      assert_raises(Boom) { failing.wait }
      sleep 0
      assert_predicate sibling, :alive?

      failing = Evented { sleep(0) && raise(Boom) }
      assert_same failing, Evented.first_completed([sibling, failing])
      assert_raises(Boom) { sleep }
    end
  end

  def test_those_that_fail_at_the_same_time_are_not_lost_either
    in_reactor do
      tasks = Array.new(2) { |number| Evented { sleep(0) && raise(Boom, number.to_s) } }
      first = Evented.first_completed(tasks)
      assert_equal "0", assert_raises(Boom) { first.wait }.message
      assert_equal "1", assert_raises(Boom) { sleep }.message
    end
  end

  def test_first_completed_can_be_cancelled
    in_reactor do
      task = Evented { sleep }
      waiting = Evented { Evented.first_completed([task]) }
      waiting.cancel

      assert_equal :cancelled, waiting.ended
      assert_predicate task, :alive?
      task.cancel
    end
  end

  def test_first_completed_refuses_what_could_never_end
    in_reactor do |root|
      assert_match(/wait for itself/, assert_raises(Evented::Error) { Evented.first_completed([root]) }.message)
      task = Evented { sleep }
      Evented do
        error = assert_raises(Evented::Error) { Evented.first_completed([task, root]) }
        assert_match(/neither would ever go on/, error.message)
      end
      task.cancel
    end
  end

  def test_first_completed_and_tasks_of_another_thread
    task = nil
    done = Queue.new
    thread = Thread.new { Evented.run { |mine| (task = mine) && done.pop } }
    wait_until { task }
    in_reactor { assert_raises(Evented::WrongThreadError) { Evented.first_completed([task]) } }
    done << :value
    thread.join

    assert_same task, Evented.first_completed([task])
  end

  def test_bad_input_is_refused
    in_reactor do
      [0, -1].each { |limit| assert_raises(ArgumentError) { Evented.map([1], limit: limit) { flunk } } }
      [nil, "2", 1.5].each { |limit| assert_raises(TypeError) { Evented.each([1], limit: limit) { flunk } } }
      assert_raises(TypeError) { Evented.map(7) { flunk } }
      assert_raises(ArgumentError) { Evented.map([1]) }
      assert_raises(ArgumentError) { Evented.each([1]) }
      assert_raises(ArgumentError) { Evented.map([1], color: 1) { flunk } }
      assert_match(/spread/, assert_raises(ArgumentError) { Evented.all([-> { flunk }]) }.message)
      assert_raises(ArgumentError) { Evented.all(-> { flunk }, nil) }
      assert_raises(ArgumentError) { Evented.race }
      assert_raises(ArgumentError) { Evented.race(:nothing_to_call) }
      assert_match(/as arguments/, assert_raises(ArgumentError) { Evented.all { flunk } }.message)
      assert_match(/as arguments/, assert_raises(ArgumentError) { Evented.race { flunk } }.message)
      assert_raises(ArgumentError) { Evented.first_completed([]) }
      assert_raises(ArgumentError) { Evented.first_completed([1]) }
      assert_raises(TypeError) { Evented.first_completed(nil) }
    end
  end

  private

  # Each method, having two calls of the block under way.
  def each_way
    yield ->(&block) { Evented.map(1..2, &block) }
    yield ->(&block) { Evented.map((1..2).lazy, &block).to_a }
    yield ->(&block) { Evented.each(1..2, &block) }
    yield ->(&block) { Evented.all(block, block) }
    yield ->(&block) { Evented.race(block, block) }
  end
end
