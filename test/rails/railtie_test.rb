# frozen_string_literal: true

require "helper"
require "support/rails_process"

class RailtieTest < Minitest::Test
  include RailsProcess

  def test_each_fiber_has_a_state_of_its_own
    assert_equal "fiber\nexecutor\n", rails("", <<~RUBY)
      puts ActiveSupport::IsolatedExecutionState.isolation_level, Evented::Rails.wrap
    RUBY
  end

  def test_where_code_is_reloaded_tasks_are_wrapped_in_the_reloader
    assert_equal "reloader\n", rails("config.enable_reloading = true", "puts Evented::Rails.wrap")
  end

  def test_thread_isolation_is_refused_at_boot
    errors = rails_fails("config.active_support.isolation_level = :thread", "ActiveRecord::Base")
    assert_match(/Evented::Rails::IsolationError/, errors)
    assert_match(/Remove that setting/, errors)
  end

  def test_thread_isolation_can_be_allowed
    assert_equal "thread 5\n", rails(<<~SETTINGS, <<~RUBY)
      config.active_support.isolation_level = :thread
      config.evented.allow_thread_isolation = true
    SETTINGS
      ActiveRecord::Base.name
      puts "\#{ActiveSupport::IsolatedExecutionState.isolation_level} \#{Evented.run { Evented { 5 }.value }}"
    RUBY
  end

  def test_an_application_without_active_record
    assert_equal "5\n", rails("", "puts Evented.run { Evented { 5 }.value }", env: { "WITHOUT_ACTIVE_RECORD" => "1" })
  end

  def test_every_task_is_wrapped_in_the_executor
    assert_equal "[3, 3]\n", rails("", <<~RUBY)
      runs = completes = 0
      App.executor.to_run { runs += 1 }
      App.executor.to_complete { completes += 1 }
      Evented do
        Evented { Evented { sleep 0.001 } }
        begin
          Evented { raise "broken" }.wait
        rescue RuntimeError
        end
      end
      p [runs, completes]
    RUBY
  end

  def test_wrapping_can_be_left_out
    assert_equal "0\n", rails("config.evented.wrap = false", <<~RUBY)
      runs = 0
      App.executor.to_run { runs += 1 }
      Evented { Evented { sleep 0.001 } }
      p runs
    RUBY
  end

  def test_failures_of_tasks_are_reported_and_cancellations_are_not
    assert_equal "[[\"broken\", false, \"evented\"]]\n", rails("", <<~RUBY)
      reports = []
      reporter = Object.new
      reporter.define_singleton_method(:report) do |error, handled:, source:, **|
        reports << [error.message, handled, source]
      end
      App.initialized? && Rails.error.subscribe(reporter)
      begin
        Evented do
          Evented { sleep }
          Evented { Evented { raise "broken" } }
        end
      rescue RuntimeError
      end
      p reports
    RUBY
  end

  def test_a_rack_request_inside_a_task_completes_once
    file("app/controllers/hello_controller.rb", <<~RUBY)
      class HelloController < ActionController::Base
        def index = render(plain: Evented.run { Evented.map(1..3) { |n| sleep(0.001) && n }.sum.to_s })
      end
    RUBY
    assert_equal "[[\"6\"], [\"6\"]] 11 11\n", rails("", <<~RUBY)
      App.routes.draw { root to: "hello#index" }
      runs = completes = 0
      App.executor.to_run { runs += 1 }
      App.executor.to_complete { completes += 1 }
      get = lambda do
        response = App.call(Rack::MockRequest.env_for("/"))
        body = []
        response.last.each { |part| body << part }
        response.last.close
        body
      end
      # By itself: one, that of the map, and three tasks. In a task: that, and its own.
      bodies = [get.call, Evented.run { Evented { get.call }.value }]
      puts "\#{bodies} \#{runs} \#{completes}"
    RUBY
  end

  def test_solid_queue_gets_its_pool_and_keeps_it_when_code_is_reloaded
    FileUtils.mkdir_p("#{@root}/app/models/solid_queue")
    FileUtils.mkdir_p("#{@root}/lib")
    file("lib/solid_queue_as_far_as_needed.rb", <<~RUBY)
      module SolidQueue
        class Configuration; end
        class Worker; end
        class Pool
          def self.build = nil
        end
        class FiberPool < Pool; end
      end
    RUBY
    file("app/models/solid_queue/claimed_execution.rb", <<~RUBY)
      class SolidQueue::ClaimedExecution
        def failed_with(_error) = puts("failed")

        def release = puts("released")
      end
    RUBY
    assert_equal "Evented::SolidQueue::FiberPool\n7\nreleased\nfailed\nreleased\n", rails(<<~SETTINGS, <<~RUBY)
      require "\#{root}/lib/solid_queue_as_far_as_needed"
      config.enable_reloading = true
      config.evented.job_timeout = 7
    SETTINGS
      puts SolidQueue::FiberPool, Evented::SolidQueue.job_timeout
      SolidQueue::ClaimedExecution.new.failed_with(Evented::Cancel.new)
      SolidQueue::ClaimedExecution.new.failed_with(RuntimeError.new)
      App.reloader.reload!
      SolidQueue::ClaimedExecution.new.failed_with(Evented::Cancel.new)
    RUBY
  end

  def test_stalls_are_logged
    _, errors, status = ruby(whole("config.evented.stall_after = 0.05\nconfig.log_level = :warn", <<~RUBY),
      told = false
      ActiveSupport::Notifications.subscribe("stall.evented") { |*, stall| told ||= !stall[:backtrace].nil? }
      limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 20
      Evented do
        sleep 0.1
        nil until told || Process.clock_gettime(Process::CLOCK_MONOTONIC) > limit
      end
    RUBY
                             env: env_of_app({}))
    assert_predicate status, :success?, errors
    assert_match(/was kept busy for \d+\.\d+ s, and none of its tasks could go on/, errors)
    assert_match(/block in <main>/, errors)
  end

  def test_code_is_reloaded_two_hundred_times_under_fifty_requests
    write_application_to_be_reloaded
    output = rails("config.enable_reloading = true\nconfig.action_dispatch.show_exceptions = :none", <<~RUBY)
      reloads = requests = 0
      App.reloader.after_class_unload { reloads += 1 }
      failures = []
      time = Time.now - 20_000
      changes = 0
      touching = Thread.new do
        200.times do
          time += 1
          File.utime(time, time, "#{@root}/app/models/thing.rb")
          seen = requests
          sleep 0.001 until requests > seen + 5 || failures.any?
          changes += 1
        end
      end
      get = lambda do
        _, _, body = App.call(Rack::MockRequest.env_for("/"))
        text = +""
        body.each { |part| text << part }
        body.close
        text == "part" ? requests += 1 : failures << text
      rescue StandardError => e
        failures << e.full_message
      end
      Evented do
        slots = Evented::Semaphore.new(50)
        until changes == 200
          slots.acquire
          Evented { get.call && slots.release }
        end
      end
      touching.join
      puts failures.first || "none of \#{requests} requests failed in \#{reloads} reloads"
    RUBY

    assert_match(/\Anone of (\d{4,}) requests failed in (\d{3,}) reloads\n\z/, output)
    assert_operator output[/in (\d+)/, 1].to_i, :>=, 200
  end

  private

  def write_application_to_be_reloaded
    file("config/routes.rb", 'Rails.application.routes.draw { root to: "things#index" }')
    file("app/models/thing.rb", "class Thing; def self.part = Part; end")
    file("app/models/part.rb", "class Part; NAME = 'part'; end")
    file("app/controllers/things_controller.rb", <<~RUBY)
      class ThingsController < ActionController::Base
        def index
          thing = Thing
          sleep 0.001
          Evented.run { Evented { sleep(0.001) && Part::NAME }.value }
          raise "reloaded under a request" unless Thing.equal?(thing) && thing.part.equal?(Part)
          render plain: Part::NAME
        end
      end
    RUBY
    # A change is what is newer than everything, and not in the future.
    FileUtils.touch(Dir["#{@root}/{app,config}/**/*.rb"], mtime: Time.now - 20_000)
  end
end
