# frozen_string_literal: true

require "helper"

class ScopeTest < Minitest::Test
  class Boom < StandardError; end

  # It is private: many.rb and supervisor.rb are built on it.
  SCOPE = Evented.class_eval { const_get(:Scope) }

  def setup
    @cleaned = 0
  end

  def test_it_is_over_when_all_have_ended
    in_reactor do
      order = []
      value = SCOPE.new("scope").run do |scope|
        scope.spawn { sleep(0) && (order << :child) }
        :value
      end

      assert_equal [:value, [:child]], [value, order]
      assert_empty Evented::Task.current.children
    end
  end

  def test_its_failure_is_raised_once
    in_reactor do
      assert_raises(Boom) { SCOPE.new("scope").run { |scope| scope.spawn { sleep(0) && raise(Boom) } } }
      sleep 0
      assert_empty Evented::Task.current.children
    end
  end

  def test_leaving_it_early_leaves_nobody_behind
    in_reactor do
      scope = SCOPE.new("scope")
      scope.start { |me| me.spawn { cleaning_up } }
      scope.close

      assert_equal [1, false], [@cleaned, scope.task.alive?]
      scope.close
    end
  end

  def test_a_failure_of_the_clean_up_is_raised_by_closing
    in_reactor do
      scope = SCOPE.new("scope")
      scope.start do
        sleep
      ensure
        raise Boom
      end
      assert_raises(Boom) { scope.close }
      sleep 0
    end
  end

  def test_a_scope_that_was_never_started_is_closed
    in_reactor { SCOPE.new("scope").close }
  end

  private

  def cleaning_up
    sleep
  ensure
    sleep(0)
    @cleaned += 1
  end
end
