# frozen_string_literal: true

require "helper"

class SupervisorTest < Minitest::Test
  class Boom < StandardError; end

  def setup
    @starts = []
    @told = []
  end

  def test_it_runs_its_children_until_all_have_ended
    done = []
    assert_nil(supervise do |supervisor|
      2.times { |number| supervisor.supervise(restart: :transient) { sleep(1) && (done << number) } }
    end)

    assert_equal [0, 1], done.sort
  end

  def test_without_children_there_is_nothing_to_do
    Evented::Supervisor.run { nil }
    Evented::Supervisor.new.run
  end

  def test_a_transient_child_is_started_again_as_long_as_it_fails
    supervise do |supervisor|
      supervisor.supervise(restart: :transient) { start(:child) < 3 && raise(Boom) }
    end

    assert_equal({ child: 3 }, @starts.map(&:first).tally)
    assert_equal [Boom, Boom], @told
  end

  def test_a_permanent_child_is_started_again_however_it_ends
    supervise do |supervisor|
      supervisor.supervise do |task|
        case start(:child)
        when 1 then :completed
        when 2 then task.cancel && sleep
        else supervisor.cancel
        end
      end
    end

    assert_equal 3, @starts.size
    assert_empty @told
  end

  def test_a_temporary_child_is_never_started_again_and_its_failure_is_told
    supervise { |supervisor| supervisor.supervise(restart: :temporary) { start(:child) && raise(Boom) } }

    assert_equal [1, [Boom]], [@starts.size, @told]
  end

  def test_a_transient_child_that_was_cancelled_stays_so
    supervise do |supervisor|
      supervisor.supervise(restart: :transient) { |task| start(:child) && task.cancel && sleep }
    end

    assert_equal 1, @starts.size
  end

  def test_with_one_for_one_nobody_else_notices
    supervise do |supervisor|
      supervisor.supervise(restart: :transient) { start(:other) && sleep(10) }
      supervisor.supervise(restart: :transient) { start(:failing) < 3 && sleep(1) && raise(Boom) }
    end

    assert_equal({ other: 1, failing: 3 }, @starts.map(&:first).tally)
  end

  def test_with_one_for_all_the_others_clean_up_and_all_are_started_again
    cleaned = 0
    supervise(strategy: :one_for_all) do |supervisor|
      supervisor.supervise(restart: :transient) do
        start(:first)
        sleep(10)
      ensure
        sleep(1) && (cleaned += 1)
      end
      supervisor.supervise(restart: :transient) { start(:failing) == 1 && sleep(1) && raise(Boom) }
      supervisor.supervise(restart: :temporary) { start(:temporary) && sleep }
      supervisor.supervise(restart: :transient) { start(:done) }
    end

    assert_equal %i[first failing temporary done], @starts.first(4).map(&:first)
    assert_equal %i[failing first], @starts.drop(4).map(&:first).sort
    assert_equal [2, [Boom]], [cleaned, @told]
  end

  def test_the_pauses_between_attempts_grow
    backoff = Evented::Supervisor.backoff(base: 1, factor: 2, max: 5, jitter: false)
    supervise(intensity: 10, backoff: backoff) do |supervisor|
      supervisor.supervise(restart: :transient) { start(:child) < 6 && raise(Boom) }
    end

    assert_equal [1, 2, 4, 5, 5], pauses
  end

  def test_who_has_run_for_the_period_has_not_failed_in_a_row
    backoff = Evented::Supervisor.backoff(base: 1, jitter: false)
    supervise(intensity: 10, period: 20, backoff: backoff) do |supervisor|
      supervisor.supervise(restart: :transient) do
        number = start(:child)
        sleep(30) if number == 3
        raise(Boom) if number < 5
      end
    end

    assert_equal [1, 2, 31, 2], pauses
  end

  def test_pauses_are_a_random_share_by_default
    backoff = Evented::Supervisor.backoff(base: 8)
    pauses = Array.new(100) { backoff.call(1) }

    assert_operator pauses.uniq.size, :>, 50
    assert_operator pauses.max, :<=, 16
    assert_operator pauses.min, :>=, 0
    assert_operator Evented::Supervisor.backoff(max: 30).call(2000), :<=, 30
  end

  def test_too_many_restarts_end_it_with_the_last_failure_as_the_cause
    cleaned = false
    error = assert_raises(Evented::Supervisor::TooManyRestarts) do
      supervise(intensity: 2, period: 5) do |supervisor|
        supervisor.supervise(name: "other") do
          sleep
        ensure
          sleep(1) && (cleaned = true)
        end
        supervisor.supervise(name: "feed") { raise Boom, "number #{start(:child)}" }
      end
    end

    assert_equal ["number 3", 3], [error.cause.message, @starts.size]
    assert_match(/3 restarts within 5 s, where 2.*"feed".*Boom/, error.message)
    assert cleaned
    assert_kind_of Evented::Error, error
  end

  def test_what_lies_longer_ago_than_the_period_does_not_count
    supervise(intensity: 1, period: 5) do |supervisor|
      supervisor.supervise(restart: :transient) { start(:child) < 10 && sleep(6) && raise(Boom) }
    end

    assert_equal 10, @starts.size
  end

  def test_no_restart_may_be_in_order
    assert_raises(Evented::Supervisor::TooManyRestarts) do
      supervise(intensity: 0) { |supervisor| supervisor.supervise { start(:child) } }
    end
    assert_equal 1, @starts.size
  end

  def test_by_default_a_child_that_fails_at_once_ends_it_within_seconds
    Evented::Testing.virtual_time do
      began = Evented.clock
      assert_raises(Evented::Supervisor::TooManyRestarts) do
        Evented::Supervisor.run(on_failure: nil) { |supervisor| supervisor.supervise { start(:child) && raise(Boom) } }
      end
      assert_operator Evented.clock - began, :<=, 1.5
    end
    assert_equal 4, @starts.size
  end

  def test_cancelling_it_waits_for_the_clean_up_and_lets_run_return
    Evented::Testing.virtual_time do
      cleaned = false
      supervisor = Evented::Supervisor.new
      supervisor.supervise do
        sleep
      ensure
        sleep(1) && (cleaned = true)
      end
      running = Evented { supervisor.run }
      assert_equal 1, supervisor.children.size

      assert supervisor.cancel("enough")
      assert cleaned
      assert_nil running.value
      assert_empty supervisor.children
      refute supervisor.cancel
    end
  end

  def test_cancelling_who_runs_it_cancels_all
    Evented::Testing.virtual_time do
      cleaned = false
      running = Evented do
        Evented::Supervisor.run do |supervisor|
          supervisor.supervise do
            sleep
          ensure
            sleep(1) && (cleaned = true)
          end
        end
      end
      sleep 1
      running.cancel

      assert_equal :cancelled, running.ended
      assert cleaned
    end
  end

  def test_a_pause_can_be_cancelled
    Evented::Testing.virtual_time do
      supervisor = Evented::Supervisor.new(backoff: ->(_) { 3600 }, on_failure: nil)
      supervisor.supervise { raise Boom }
      began = Evented.clock
      running = Evented { supervisor.run }
      sleep 1
      assert_match(/waits to be started again/, supervisor.children.first.inspect)
      supervisor.cancel
      running.wait

      assert_in_delta 1, Evented.clock - began, 1e-6
    end
  end

  def test_failures_of_the_clean_up_are_raised
    error = assert_raises(Boom) do
      supervise do |supervisor|
        supervisor.supervise do
          sleep
        ensure
          raise Boom, "while cleaning up"
        end
        supervisor.supervise(restart: :temporary) { sleep(1) && supervisor.cancel }
      end
    end

    assert_equal "while cleaning up", error.message
  end

  def test_failures_of_the_set_up_end_it
    cleaned = false
    assert_raises(Boom) do
      supervise do |supervisor|
        supervisor.supervise do
          sleep
        ensure
          cleaned = true
        end
        sleep 1
        raise Boom
      end
    end
    refute cleaned
  end

  def test_children_may_be_added_while_it_runs
    supervise do |supervisor|
      supervisor.supervise(restart: :transient) do
        sleep 1
        supervisor.supervise(restart: :temporary) { start(:late) && raise(Boom) }
      end
    end

    assert_equal [:late, 1], @starts.first.first(2)
    assert_equal [Boom], @told
  end

  def test_supervisors_of_supervisors
    inner_runs = 0
    supervise do |outer|
      outer.supervise(name: "inner", restart: :transient) do
        inner_runs += 1
        Evented::Supervisor.run(intensity: 0, on_failure: nil) do |inner|
          inner.supervise(restart: :transient) { raise Boom if inner_runs < 3 }
        end
      end
    end

    assert_equal 3, inner_runs
    assert_equal [Evented::Supervisor::TooManyRestarts] * 2, @told
  end

  def test_it_counts
    Evented::Testing.virtual_time do
      supervisor = Evented::Supervisor.new(on_failure: nil, intensity: 10)
      supervisor.supervise(name: "child", restart: :transient) { start(:child) < 4 && sleep(1) && raise(Boom) }
      assert_equal [0, []], [supervisor.restarts, supervisor.children]
      running = Evented { supervisor.run }
      assert_equal ["child"], supervisor.children.map(&:name)
      assert_equal "#<Evented::Supervisor one_for_one children=1 restarts=0>", supervisor.inspect
      running.wait

      assert_equal [3, []], [supervisor.restarts, supervisor.children]
    end
  end

  def test_by_default_failures_are_written_to_the_standard_error
    _, errors = capture_io do
      Evented::Supervisor.run { |me| me.supervise(name: "feed", restart: :temporary) { raise Boom, "no answer" } }
    end

    assert_match(/the supervised task "feed" failed: SupervisorTest::Boom: no answer \(.*supervisor_test/, errors)
  end

  def test_it_forgets_tasks_that_have_ended
    supervisor = Evented::Supervisor.new(on_failure: nil, intensity: 20_000, backoff: nil)
    others = ObjectSpace.each_object(Evented::Task).count # that other tests have left
    failures = 0
    supervisor.supervise(restart: :transient) { (failures += 1) < 10_000 && raise(Boom) }
    supervisor.supervise(restart: :temporary) do
      10_000.times { (sleep 0) && supervisor.supervise(restart: :temporary) { sleep 0 } }
    end
    in_reactor do
      supervisor.run
      assert_equal 9_999, supervisor.restarts
      wait_until { GC.start || ObjectSpace.each_object(Evented::Task).count < others + 100 }
    end
  end

  def test_it_runs_once_at_a_time
    in_reactor do
      supervisor = Evented::Supervisor.new
      supervisor.supervise { sleep }
      running = Evented { supervisor.run }
      assert_match(/runs already/, assert_raises(Evented::Error) { supervisor.run }.message)
      supervisor.cancel
      running.wait
      supervisor.supervise(restart: :temporary) { start(:again) }
      supervisor.run

      assert_equal 1, @starts.size
    end
  end

  def test_one_of_another_thread_is_refused
    supervisor = Evented::Supervisor.new
    done = Queue.new
    supervisor.supervise(restart: :temporary) { done.pop }
    thread = Thread.new { supervisor.run }
    wait_until { supervisor.children.any? }
    in_reactor do
      assert_raises(Evented::WrongThreadError) { supervisor.cancel }
      assert_raises(Evented::WrongThreadError) { supervisor.supervise { flunk } }
    end
    done.close
    thread.join
  end

  def test_bad_input_is_refused
    refused = { strategy: :rest_for_one, intensity: -1, period: -1, backoff: 3, on_failure: :puts, color: 1 }
    refused.each do |name, value|
      assert_raises(ArgumentError, name.to_s) { Evented::Supervisor.new(name => value) }
    end
    [[:intensity, "3"], [:intensity, 1.5], [:period, nil], [:period, 1i]].each do |name, value|
      assert_raises(TypeError, name.to_s) { Evented::Supervisor.new(name => value) }
    end
    { base: -1, factor: 0.5, max: -1 }.each do |name, value|
      assert_raises(ArgumentError, name.to_s) { Evented::Supervisor.backoff(name => value) }
    end
    assert_raises(TypeError) { Evented::Supervisor.backoff(base: "1") }
    assert_raises(ArgumentError) { Evented::Supervisor.run }
    supervisor = Evented::Supervisor.new
    assert_raises(ArgumentError) { supervisor.supervise }
    assert_raises(ArgumentError) { supervisor.supervise(restart: :sometimes) { flunk } }
  end

  def test_a_pause_that_is_none_ends_it
    [[nil, TypeError], ["1", TypeError], [-1, ArgumentError]].each do |pause, refusal|
      error = assert_raises(refusal) do
        supervise(backoff: ->(_) { pause }) { |supervisor| supervisor.supervise { raise Boom } }
      end
      assert_match(/\Awhat backoff: returns has to be/, error.message)
    end
  end

  def test_what_a_callback_raises_ends_it
    stop = ->(*) { raise StopIteration }
    [{ backoff: stop }, { on_failure: stop }].each do |callback|
      assert_raises(StopIteration) do
        Evented::Supervisor.run(on_failure: nil, **callback) { |supervisor| supervisor.supervise { raise Boom } }
      end
    end
  end

  def test_who_was_still_to_be_started_when_it_was_over_is_not_started_the_next_time
    started = []
    supervisor = nil
    another = ->(*) { supervisor.supervise { started << :late } }
    supervisor = Evented::Supervisor.new(intensity: 0, on_failure: another)
    assert_raises(Evented::Supervisor::TooManyRestarts) { supervisor.run { supervisor.supervise { raise Boom } } }
    supervisor.run { supervisor.supervise(restart: :temporary) { started << :next } }

    assert_equal [:next], started
  end

  def test_it_holds_none_that_has_ended_while_others_come_all_the_time
    alive = nil
    others = ObjectSpace.each_object(Evented::Task).count
    Evented::Supervisor.run do |supervisor|
      supervisor.supervise(restart: :temporary) do
        ended = 0
        2_000.times do |number|
          supervisor.supervise(restart: :temporary) { ended += 1 }
          sleep 0 while number - ended > 20
        end
        GC.start
        alive = ObjectSpace.each_object(Evented::Task).count
      end
    end

    assert_operator alive, :<, others + 200
  end

  private

  # Runs a supervisor in virtual time; failures are written down.
  def supervise(**, &)
    note = ->(_, error) { @told << error.class }
    Evented::Testing.virtual_time { Evented::Supervisor.run(on_failure: note, **, &) }
  end

  # Writes a start down.
  #
  # @return [Integer] which one it is
  def start(name)
    (@starts << [name, @starts.count { |other, _| other == name } + 1, Evented.clock]).last[1]
  end

  # @return [Array<Integer>] seconds between starts
  def pauses = @starts.each_cons(2).map { |one, other| (other[2] - one[2]).round }
end
