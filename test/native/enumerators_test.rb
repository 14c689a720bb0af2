# frozen_string_literal: true

require "helper"
require "socket"
require "support/scheduled"

# An Enumerator runs in a fiber of its own, which its user resumes: waits inside of it are the user's.
class EnumeratorsTest < Minitest::Test
  def test_an_enumerator_that_reads
    in_company do
      reader, writer = IO.pipe
      lines = Enumerator.new { |yielder| 3.times { yielder << reader.gets(chomp: true) } }
      Fiber.schedule { %w[a b c].each { |line| sleep(0.001) && writer.puts(line) } }

      assert_equal %w[a b c], [lines.next, lines.next, lines.next]
    end
  end

  def test_an_enumerator_that_reads_from_a_socket
    in_company do
      one, other = UNIXSocket.pair
      chunks = Enumerator.new { |yielder| loop { yielder << one.readpartial(1) } }
      Fiber.schedule { %w[a b c].each { |chunk| sleep(0.001) && other.write(chunk) } }

      assert_equal %w[a b c], Array.new(3) { chunks.next }
    end
  end

  def test_an_enumerator_that_sleeps
    in_company do
      ticks = Enumerator.new { |yielder| loop { sleep(0.001) && (yielder << :tick) } }

      assert_equal %i[tick tick], [ticks.next, ticks.next]
    end
  end

  def test_enumerators_of_many_fibers_at_a_time
    got = {}
    scheduled do
      20.times do |n|
        Fiber.schedule do
          numbers = Enumerator.new { |yielder| 3.times { |i| sleep(0.001) && (yielder << (n + i)) } }
          got[n] = [numbers.next, numbers.next, numbers.next]
        end
      end
    end

    assert_equal((0...20).to_h { |n| [n, [n, n + 1, n + 2]] }, got)
  end

  def test_an_enumerator_in_an_enumerator
    scheduled do
      inner = Enumerator.new { |yielder| 3.times { |n| sleep(0.001) && (yielder << n) } }
      outer = Enumerator.new { |yielder| 3.times { yielder << (inner.next * 10) } }

      assert_equal [0, 10, 20], [outer.next, outer.next, outer.next]
    end
  end

  def test_lazy_and_external_iteration_together
    scheduled do
      queue = Queue.new
      Fiber.schedule { 10.times { |n| sleep(0) && (queue << n) } }
      numbers = Enumerator.produce { queue.pop }.lazy.select(&:even?).map { |n| n * n }

      assert_equal [0, 4, 16], numbers.first(3)
    end
  end

  def test_what_an_enumerator_raises_arrives_at_its_user
    scheduled do
      failing = Enumerator.new { |_| sleep(0.001) && raise("inside") }

      assert_equal "inside", assert_raises(RuntimeError) { failing.next }.message
    end
  end

  def test_plain_fibers_that_are_resumed
    scheduled do
      fiber = Fiber.new { |x| Fiber.yield(sleep(0.001) && (x * 2)) }

      assert_equal 42, fiber.resume(21)
    end
  end

  def test_one_that_is_dropped_half_way
    scheduled do
      20.times do
        reader, writer = IO.pipe
        lines = Enumerator.new { |yielder| loop { yielder << reader.gets } }
        writer.puts "x"
        assert_equal "x\n", lines.next
        lines = nil
        GC.start
        assert_nil lines
      end
    end
  end
end
