# frozen_string_literal: true

require "support/active_record"

# What a task has of the one who started it: copies; and a root task, who is waited for: the very same.
class SurroundingsTest < Minitest::Test
  include ActiveRecordTest

  def setup
    super
    Object.const_set(:Now, Class.new(ActiveSupport::CurrentAttributes) { attribute :user, :tags }) unless defined?(Now)
    require "active_support/tagged_logging"
    require "active_support/time"
    Now.reset_all
  end

  def teardown
    Now.reset_all
    Time.zone = nil
    super
  end

  def test_current_attributes_are_copied_into_tasks
    Now.user = "anna"
    in_reactor do
      assert_equal "anna", Now.user
      Now.user = "berta"
      child = Evented do
        seen = Now.user
        Now.user = "child's"
        Evented { assert_equal "child's", Now.user }.wait
        seen
      end

      assert_equal "berta", child.value
      assert_equal "berta", Now.user
    end
    assert_equal "berta", Now.user, "a root task is its caller's own"
  end

  def test_what_a_starter_does_later_is_not_seen_by_its_tasks
    in_reactor do
      Now.user = "before"
      gate = Evented::Promise.new
      child = Evented { gate.value && Now.user }
      Now.user = "after"
      gate.resolve(true)

      assert_equal "before", child.value
    end
  end

  def test_a_thousand_interleavings_never_bleed
    wrong = in_reactor do
      Array.new(1000) do |n|
        Evented do
          Now.user = n
          bad = 0
          5.times do
            sleep 0
            bad += 1 unless Now.user == n
            Evented { (sleep(0) && Now.user == n) || (bad += 1) }.wait
          end
          bad
        end
      end.sum(&:value)
    end

    assert_equal 0, wrong
    assert_nil Now.user
  end

  def test_the_time_zone_is_copied
    Time.zone = "Tokyo"
    in_reactor do
      assert_equal "Tokyo", Evented { Time.zone.name.tap { Time.zone = "Lima" } }.value
      assert_equal "Tokyo", Time.zone.name
    end
  end

  def test_log_tags_are_copied
    log = StringIO.new
    logger = ActiveSupport::TaggedLogging.new(Logger.new(log))
    logger.tagged("request") do
      in_reactor do
        Evented { logger.tagged("task") { sleep(0) && logger.info("inside") } }
        logger.info("outside")
      end
    end

    assert_equal ["[request] outside", "[request] [task] inside"], log.string.lines(chomp: true)
  end

  def test_the_role_and_forbidden_writes_are_copied
    in_reactor do
      ActiveRecord::Base.while_preventing_writes do
        assert_raises(ActiveRecord::ReadOnlyError) { Evented { Entry.create!(name: "no") }.value }
      end
      ActiveRecord::Base.connected_to(role: :reading) do
        assert_equal :reading, Evented { ActiveRecord::Base.current_role }.value
      end
      assert_equal :writing, Evented { ActiveRecord::Base.current_role }.value
    end
  end

  def test_the_context_of_error_reports_is_copied
    in_reactor do
      ActiveSupport::ExecutionContext.set(controller: "Posts") do
        child = Evented do
          ActiveSupport::ExecutionContext[:job] = "theirs"
          ActiveSupport::ExecutionContext.to_h
        end

        assert_equal({ controller: "Posts", job: "theirs" }, child.value)
        assert_equal({ controller: "Posts" }, ActiveSupport::ExecutionContext.to_h)
      end
    end
  end

  def test_nothing_of_a_task_is_left_for_the_next
    in_reactor do
      Evented.map(0...200, limit: 3) do |n|
        assert_nil Now.user
        Now.user = n
      end
    end
  end

  def test_thread_isolation_with_active_record_is_refused
    ActiveSupport::IsolatedExecutionState.isolation_level = :thread
    error = assert_raises(Evented::Rails::IsolationError) { in_reactor { flunk } }
    assert_match(/Remove that setting.*allow_thread_isolation/, error.message)
    assert_empty Evented::Task.roots
  ensure
    ActiveSupport::IsolatedExecutionState.isolation_level = :fiber
    Evented::Rails.check_isolation
  end

  def test_an_old_rails_is_refused
    old = ActiveSupport.singleton_class.instance_method(:version)
    ActiveSupport.singleton_class.silence_redefinition_of_method(:version)
    ActiveSupport.define_singleton_method(:version) { Gem::Version.new("7.1.5") }
    error = assert_raises(Evented::Rails::VersionError) { Evented::Rails.setup }
    assert_match(/needs Rails 7.2 or newer, and this is 7.1.5: .*Update Rails/, error.message)
  ensure
    ActiveSupport.singleton_class.silence_redefinition_of_method(:version)
    ActiveSupport.define_singleton_method(:version, old)
  end

  def test_what_a_wrap_can_be
    assert_match(/has to be :executor, :reloader or false/,
                 assert_raises(ArgumentError) { Evented::Rails.setup(wrap: :request) }.message)
  end
end
