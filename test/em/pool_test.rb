# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"

class EMPoolTest < Minitest::Test
  include EMRunning

  class Boom < StandardError; end

  def setup
    @pool = EM::Pool.new
    @log = []
  end

  def test_work_gets_a_resource
    passes do
      @pool.add(:a)
      @pool.perform { |resource| (@log << resource) && deferrable }
    end

    assert_equal [:a], @log
  end

  def test_work_waits_until_one_is_free
    passes do
      @pool.add(:a)
      work = 3.times.map { deferrable }
      work.each_with_index { |one, n| @pool.perform { |resource| (@log << [n, resource]) && one } }
      assert_equal 2, @pool.num_waiting
      work.first.succeed
      assert_equal 1, @pool.num_waiting
      work[1].fail
    end

    assert_equal [[0, :a], [1, :a], [2, :a]], @log
  end

  def test_resources_are_lent_in_order
    passes do
      %i[a b c].each { |resource| @pool.add(resource) }
      3.times { @pool.perform { |resource| (@log << resource) && deferrable } }
    end

    assert_equal %i[a b c], @log
  end

  def test_contents_are_all_lent_or_not_and_a_copy
    passes do
      @pool.add(:a)
      @pool.add(:b)
      @pool.perform { deferrable }
      assert_equal %i[a b], @pool.contents
      @pool.contents.clear
      assert_equal %i[a b], @pool.contents
    end
  end

  def test_a_free_resource_that_is_removed_is_not_lent_any_more
    passes do
      @pool.add(:a)
      @pool.remove(:a)
      assert_equal [[], true], [@pool.contents, @pool.removed?(:a)]
      @pool.perform { |resource| (@log << resource) && deferrable }
      @pool.add(:b)
    end

    assert_equal [:b], @log
    refute @pool.removed?(:a)
  end

  def test_a_lent_resource_that_is_removed_is_not_lent_again
    work = deferrable
    passes do
      @pool.add(:a)
      @pool.perform { work }
      @pool.remove(:a)
      work.succeed
      @pool.perform { |resource| (@log << resource) && deferrable }
    end

    assert_empty @log
    assert_equal 1, @pool.num_waiting
  end

  def test_a_removed_resource_can_come_back
    passes do
      @pool.add(:a)
      @pool.perform { @pool.remove(:a) && deferrable.tap(&:succeed) }
      @pool.perform { |resource| (@log << resource) && deferrable }
      @pool.add(:a)
    end

    assert_equal [:a], @log
  end

  def test_without_a_handler_a_resource_whose_work_has_failed_is_lent_again
    passes do
      @pool.add(:a)
      @pool.perform { deferrable.tap(&:fail) }
      @pool.perform { |resource| (@log << resource) && deferrable }
    end

    assert_equal [:a], @log
  end

  def test_a_handler_decides_what_becomes_of_a_resource_whose_work_has_failed
    @pool.on_error { |resource| @log << [:error, resource] }
    passes do
      @pool.add(:a)
      @pool.perform { deferrable.tap(&:fail) }
      assert_empty @pool.contents
      @pool.perform { |resource| (@log << resource) && deferrable }
      assert_equal 1, @pool.num_waiting
      @pool.add(:new)
    end

    assert_equal [%i[error a], :new], @log
  end

  def test_work_has_to_return_a_deferrable
    error = assert_raises(ArgumentError) do
      passes do
        @pool.add(:a)
        @pool.perform { 5 }
      end
    end

    assert_equal "deferrable expected from work", error.message
    assert_equal :a, lent
  end

  def test_work_that_raises_costs_no_resource
    assert_raises(Boom) do
      passes do
        @pool.add(:a)
        @pool.perform { raise Boom }
      end
    end

    assert_equal :a, lent
  end

  def test_the_handler_hears_of_work_that_raises
    @pool.on_error { |resource| @log << resource }
    assert_raises(Boom) do
      passes do
        @pool.add(:a)
        @pool.perform { raise Boom }
      end
    end

    assert_equal [[:a], []], [@log, @pool.contents]
  end

  def test_work_may_be_a_method_and_has_another_name
    object = Object.new
    def object.work(resource) = EM::DefaultDeferrable.new.tap { |work| work.succeed(resource) }
    passes do
      @pool.add(:a)
      assert_nil @pool.perform(object, :work)
      @pool.reschedule { |resource| (@log << resource) && deferrable }
    end

    assert_equal [:a], @log
  end

  def test_a_thousand_pieces_of_work_share_ten_resources
    lent = []
    most = 0
    em do
      10.times { |n| @pool.add(n) }
      1000.times do |n|
        @pool.perform do |resource|
          refute_includes lent, resource
          most = [most, lent.push(resource).size].max
          work = deferrable
          EM.next_tick { lent.delete(resource) && work.__send__(n.even? ? :succeed : :fail) }
          work.callback { EM.stop if n == 998 }
        end
      end
    end

    assert_equal 10, most
  end

  private

  def deferrable = EM::DefaultDeferrable.new

  # What the next work gets.
  def lent
    got = nil
    passes { @pool.perform { |resource| (got = resource) && deferrable } }
    got
  end
end
