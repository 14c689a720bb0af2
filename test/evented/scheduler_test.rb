# frozen_string_literal: true

require "helper"
require "support/ruby_process"
require "support/scheduled"

# The object itself; what its hooks do is in test/contract.
class Evented::SchedulerTest < Minitest::Test # rubocop:disable Style/ClassAndModuleChildren
  HOOKS = %i[
    block unblock kernel_sleep io_wait io_read io_write io_pread io_pwrite io_select io_close process_wait timeout_after
    address_resolve blocking_operation_wait fiber_interrupt yield fiber run close scheduler_close closed?
  ].freeze

  def test_it_has_every_hook_of_the_contract
    assert_empty(HOOKS.reject { |hook| Evented::Scheduler.public_method_defined?(hook) })
  end

  def test_any_thread_may_inspect_it
    with_scheduler do |scheduler|
      assert_equal "#<Evented::Scheduler #{Evented.driver} parked=0>", Thread.new { scheduler.inspect }.value
    end
  end

  def test_it_says_what_it_is
    with_scheduler do |scheduler|
      Fiber.schedule { sleep 0.001 }

      assert_equal "#<Evented::Scheduler #{scheduler.driver} parked=1>", scheduler.inspect
    end
  end

  def test_it_counts
    scheduled do |scheduler|
      before = scheduler.stats
      3.times { sleep 0 }
      after = scheduler.stats

      assert_equal 3, after[:parks] - before[:parks]
      assert_operator after[:turns], :>, before[:turns]
      assert_equal [0, 0], after.values_at(:parked, :sleeping)
      parked { sleep 0.001 }
      assert_equal [1, 1], scheduler.stats.values_at(:parked, :sleeping)
    end
  end

  def test_it_does_not_spin_while_everybody_waits
    scheduled do |scheduler|
      turns = scheduler.stats[:turns]
      sleep 0.05

      assert_operator scheduler.stats[:turns] - turns, :<, 20
    end
  end

  def test_hooks_may_be_overridden
    slept = []
    subclass = Class.new(Evented::Scheduler) do
      define_method(:kernel_sleep) { |duration| (slept << duration) && super(duration) }
    end
    Thread.new { Fiber.set_scheduler(subclass.new) && Fiber.schedule { sleep 0.001 } }.join

    assert_equal [0.001], slept
  end

  def test_a_subclass_has_to_call_super
    blank = Class.new(Evented::Scheduler) { define_method(:initialize) { @nothing = nil } }

    assert_match(/call super/, assert_raises(Evented::Error) { blank.new.kernel_sleep(0) }.message)
  end

  def test_one_that_was_made_on_another_thread_belongs_to_the_thread_that_uses_it_first
    scheduler = Evented::Scheduler.new
    done = false
    Thread.new { Fiber.set_scheduler(scheduler) && Fiber.schedule { sleep(0.001) && (done = true) } }.join

    assert done
  end

  def test_another_thread_is_refused
    in_company do |scheduler|
      reader, _reader_peer = IO.pipe
      error = nil
      Thread.new do
        error = assert_raises(Evented::WrongThreadError) { scheduler.kernel_sleep(0) }
        assert_raises(Evented::WrongThreadError) { scheduler.block(:x, 0) }
        assert_raises(Evented::WrongThreadError) { scheduler.io_select([reader], nil, nil, 0) }
        assert_raises(Evented::WrongThreadError) { scheduler.fiber { :never } }
        assert_raises(Evented::WrongThreadError) { scheduler.run }
        assert_raises(Evented::WrongThreadError) { scheduler.process_wait(1, 0) }
      end.join

      assert_match(/one for each thread/, error.message)
    end
  end

  def test_another_thread_can_not_close_it
    in_company do |scheduler|
      outcome { Thread.new { scheduler.close }.tap { |thread| thread.report_on_exception = false }.join }

      refute_predicate scheduler, :closed?
    end
  end

  def test_it_can_be_initialised_once
    with_scheduler { |scheduler| assert_raises(Evented::Error) { scheduler.send(:initialize) } }
  end

  def test_it_can_not_be_copied
    with_scheduler do |scheduler|
      assert_raises(Evented::Error, TypeError, NoMethodError) { scheduler.dup.kernel_sleep(0) }
    end
  end

  def test_one_that_was_never_used_is_collected
    10.times { Evented::Scheduler.new }
    GC.start
    scheduled { sleep 0 }
  end

  def test_another_ractor_is_refused
    output = output_of_ruby(<<~RUBY)
      Warning[:experimental] = false
      message = Ractor.new { Evented::Scheduler.new rescue $!.message }
      puts message.respond_to?(:value) ? message.value : message.take
    RUBY

    assert_match(/main Ractor only/, output)
  end

  def test_too_many_fibers_are_refused_and_the_others_go_on
    skip "only Linux counts mappings" unless File.exist?("/proc/sys/vm/max_map_count")

    output = output_of_ruby(<<~RUBY)
      Process.setrlimit(:AS, 2 << 30)
      survivors = []
      error = nil
      Evented.run do
        gate = Queue.new
        Evented { gate.pop; survivors << :first }
        started = 0
        begin
          100_000.times { Fiber.schedule { gate.pop; survivors << 1 }; started += 1 }
        rescue Evented::FiberLimitError => error
        end
        gate.close
        sleep 0.001 until survivors.size >= started + 1
        # The one that was refused never runs.
        survivors.size == started + 1 or raise survivors.size.to_s
        Evented { sleep 0; survivors << :another }
      end
      puts error.class, survivors.last, survivors.size > 100
      puts error.message
    RUBY

    assert_match(/\AEvented::FiberLimitError\nanother\ntrue\n.*max_map_count/, output)
  end
end
