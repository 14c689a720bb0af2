# frozen_string_literal: true

require "helper"
require "support/ruby_process"

class EventedTest < Minitest::Test
  def test_run_returns_the_value_of_its_block
    assert_equal(42, Evented.run { sleep(0) && 42 })
  end

  def test_run_raises_what_its_block_raises
    assert_equal "from the block", assert_raises(RuntimeError) { Evented.run { raise "from the block" } }.message
  end

  def test_run_waits_for_everything_that_was_started
    done = []
    Evented.run do
      Evented { sleep(0.001) && (done << :task) }
      Fiber.schedule { sleep(0.002) && (done << :fiber) }
    end

    assert_equal %i[task fiber], done
  end

  def test_run_inside_of_a_reactor_is_a_call_of_the_block
    Evented.run do |outer|
      fiber = Fiber.current
      value = Evented.run do |inner|
        assert_same outer, inner
        assert_same fiber, Fiber.current
        :value
      end

      assert_equal :value, value
    end
  end

  def test_evented_at_top_level_runs_a_reactor_and_returns_its_task
    task = Evented { sleep(0) && :value }

    assert_instance_of Evented::Task, task
    assert_equal %i[completed value], [task.status, task.value]
  end

  def test_evented_inside_of_a_reactor_starts_a_task_at_once
    order = []
    Evented do
      task = Evented { (order << :started) && sleep(0) && (order << :went_on) }
      order << :returned

      assert_predicate task, :alive?
    end

    assert_equal %i[started returned went_on], order
  end

  def test_a_failure_that_was_waited_for_is_not_raised_again
    Evented do
      task = Evented { sleep(0) && raise("handled") }
      assert_raises(RuntimeError) { task.wait }
    end
  end

  def test_the_thread_has_no_scheduler_before_and_after
    assert_nil Fiber.scheduler
    Evented.run { assert_instance_of Evented::Scheduler, Fiber.scheduler }
    assert_nil Fiber.scheduler
    assert_raises(RuntimeError) { Evented.run { raise "x" } }
    assert_nil Fiber.scheduler
  end

  def test_reactors_on_two_threads_do_not_know_each_other
    values = Array.new(2) do |n|
      Thread.new do
        Evented.run do
          sleep(0.001) && [n, Fiber.scheduler.object_id]
        end
      end
    end.map(&:value)

    assert_equal [0, 1], values.map(&:first)
    assert_equal 2, values.map(&:last).uniq.size
  end

  def test_a_thread_started_inside_has_no_reactor_but_may_have_its_own
    Evented.run do
      assert_equal [nil, :own], Thread.new { [Fiber.scheduler, Evented.run { :own }] }.value
    end
  end

  def test_another_scheduler_of_the_thread_is_not_replaced
    Thread.new do
      Fiber.set_scheduler(Evented::Scheduler.new)
      message = assert_raises(Evented::Error) { Evented { :never } }.message

      assert_match(/has a fiber scheduler already .*Fiber\.schedule/, message)
      assert_equal(:ok, Fiber.schedule { :ok }.then { :ok })
    end.join
  end

  def test_a_block_is_needed
    assert_match(/needs a block/, assert_raises(ArgumentError) { Evented.run }.message)
    assert_match(/needs a block/, assert_raises(ArgumentError) { Evented() }.message)
  end

  def test_the_driver_is_told_inside_and_outside
    assert_includes %i[uring poll], Evented.driver
    assert_equal(Evented.driver, Evented.run { Evented.driver })
    assert_equal(Evented.driver, Evented.run { Fiber.scheduler.driver })
  end

  def test_a_driver_can_be_forced
    assert_equal "poll\n", output_of_ruby("puts Evented.run { Evented.driver }", env: { "EVENTED_DRIVER" => "poll" })
  end

  def test_an_unknown_driver_is_refused_and_the_known_ones_are_named
    ["Evented.driver", "Evented.run { 1 }", "Evented::Scheduler.new"].each do |code|
      output = output_of_ruby("#{code} rescue puts $!.class, $!.message", env: { "EVENTED_DRIVER" => "epoll" })

      assert_match(/\AEvented::Error\n.*epoll.*/, output)
      assert_match(/uring.*poll/, output.lines.last)
    end
  end

  def test_a_thousand_tasks
    assert_equal(1000, Evented.run { Array.new(1000) { |n| Evented { sleep(0.001) && n } }.map(&:value).uniq.size })
  end
end
