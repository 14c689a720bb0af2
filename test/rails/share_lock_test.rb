# frozen_string_literal: true

require "support/active_record"

# Code is not reloaded while a fiber runs it.
class ShareLockTest < Minitest::Test
  include ActiveRecordTest

  def setup
    super
    @lock = ActiveSupport::Concurrency::ShareLock.new
  end

  def test_a_share_belongs_to_a_fiber
    in_reactor do
      gate = Evented::Promise.new
      running = Evented { @lock.sharing { gate.value } }
      reloaded = false
      reloading = Evented { @lock.exclusive(purpose: :unload) { reloaded = true } }
      sleep 0.01

      refute reloaded, "it was reloaded while another fiber of this thread was running"
      gate.resolve
      [running, reloading].each(&:wait)
      assert reloaded
    end
  end

  def test_who_holds_it_exclusively_keeps_the_others_out
    in_reactor do
      gate = Evented::Promise.new
      reloading = Evented { @lock.exclusive(purpose: :unload) { gate.value } }
      ran = false
      running = Evented { @lock.sharing { ran = true } }
      sleep 0.01

      refute ran
      gate.resolve
      [reloading, running].each(&:wait)
      assert ran
    end
  end

  def test_a_task_of_one_who_runs_runs_even_while_somebody_waits_to_reload
    in_reactor do
      reloaded = false
      @lock.sharing do
        reloading = Thread.new { @lock.exclusive(purpose: :unload) { reloaded = true } }
        wait_until { reloading.status == "sleep" }

        assert_equal 5, Evented { @lock.sharing { reloaded ? 0 : 5 } }.value
      end
      wait_until { reloaded }
    end
  end

  def test_threads_work_as_ever
    order = Thread::Queue.new
    gate = Thread::Queue.new
    sharing = Thread.new { @lock.sharing { gate.pop && (order << :shared) } }
    wait_until { sharing.status == "sleep" }
    exclusive = Thread.new { @lock.exclusive { order << :exclusive } }
    wait_until { exclusive.status == "sleep" }
    gate << true

    assert_equal(%i[shared exclusive], Array.new(2) { order.pop })
  end
end
