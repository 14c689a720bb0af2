# frozen_string_literal: true

require "helper"
require "socket"
require "support/scheduled"

# When many fibers are ready at a time, what they send leaves with the one system call that ends their turn. Nobody is
# to see a difference except in what it costs.
class CrowdTest < Minitest::Test
  CROWD = 32

  def test_what_a_crowd_sends_leaves_together
    scheduled do |scheduler|
      pairs = Array.new(CROWD) { UNIXSocket.pair }
      together = Evented.driver == :uring ? CROWD : 0
      # A turn in which somebody was slow, as on a machine that others use, sends at once.
      wait_until { submitted(scheduler) { in_a_crowd(pairs) { |socket, _| socket.write("x") } } == together }

      assert_equal(["x"], pairs.map { |_, peer| peer.readpartial(1) }.uniq)
    end
  end

  def test_a_lone_write_leaves_at_once
    scheduled do |scheduler|
      socket, peer = UNIXSocket.pair

      assert_equal 0, submitted(scheduler) { socket.write("hello") }
      assert_equal "hello", peer.read_nonblock(5)
    end
  end

  def test_nobody_waits_for_what_others_compute
    scheduled do |scheduler|
      pairs = Array.new(CROWD) { UNIXSocket.pair }
      in_a_crowd(pairs) { compute_for(0.0005) }

      assert_equal 0, submitted(scheduler) { in_a_crowd(pairs) { |socket, _| socket.write("x") } }
    end
  end

  def test_what_one_fiber_sends_keeps_its_order
    lines = Array.new(200) { |n| "#{n}\n" }
    scheduled do
      pairs = Array.new(CROWD) { UNIXSocket.pair }
      crowd(pairs) do |socket, _|
        lines.each { |line| sleep(0) && socket.write(line) }
        socket.close
      end

      assert_equal([lines.join], pairs.map { |_, peer| peer.read }.uniq)
    end
  end

  def test_what_does_not_fit_is_sent_as_there_is_room
    scheduled do
      pairs = Array.new(CROWD) { UNIXSocket.pair }
      written = []
      fibers = crowd(pairs) { |socket, n| (sleep 0) && written.push(socket.write(n.chr * 1_000_000)) }
      got = pairs.map { |_, peer| peer.read(1_000_000) }
      wait_until { fibers.none?(&:alive?) }

      assert_equal [1_000_000] * CROWD, written
      assert_equal Array.new(CROWD, &:chr), got.map(&:squeeze)
    end
  end

  def test_whoever_has_no_peer_any_more_hears_of_it
    scheduled do
      pairs = Array.new(CROWD) { UNIXSocket.pair }
      pairs.map(&:last).each(&:close)
      outcomes = []
      in_a_crowd(pairs) { |socket, _| outcomes << outcome { socket.write("x") }.class }

      assert_equal [Errno::EPIPE] * CROWD, outcomes
    end
  end

  def test_what_was_sent_before_another_fiber_closes_the_socket_arrives
    scheduled do
      pairs = Array.new(CROWD) { UNIXSocket.pair }
      in_a_crowd(pairs.flat_map { |pair| [pair, pair] }) do |socket, n|
        n.even? ? socket.write("last words") : socket.close
      end

      assert_equal(["last words"], pairs.map { |_, peer| peer.read }.uniq)
    end
  end

  def test_whoever_is_raised_in_while_sending_lets_the_others_send
    scheduled do
      pairs = Array.new(CROWD) { UNIXSocket.pair }
      ended = []
      fibers = crowd(pairs) do |socket, _|
        sleep 0
        socket.write("x" * 10)
      rescue ArgumentError
        nil
      ensure
        ended << socket
      end
      raiser = Fiber.schedule do
        sleep 0
        fibers.first(5).each { |fiber| fiber.raise(ArgumentError, "stop") if fiber.alive? }
      end
      wait_until { fibers.none?(&:alive?) && !raiser.alive? }

      assert_equal pairs.map(&:first).sort_by(&:fileno), ended.sort_by(&:fileno), "each once"
      assert_equal(["x" * 10], pairs.drop(5).map { |_, peer| peer.readpartial(100) }.uniq)
    end
  end

  private

  # Starts a fiber a pair.
  #
  # @yieldparam socket [UNIXSocket]
  # @yieldparam n [Integer] the how-manieth it is
  # @return [Array<Fiber>]
  def crowd(pairs)
    pairs.each_with_index.map { |(socket, _), n| Fiber.schedule { yield socket, n } }
  end

  # Lets as many fibers be ready in the same turn, and returns when all have ended.
  def in_a_crowd(pairs)
    fibers = crowd(pairs) { |socket, n| (sleep 0) && yield(socket, n) }
    wait_until { fibers.none?(&:alive?) }
  end

  # @return [Integer] how many operations have been handed to the driver during the block
  def submitted(scheduler)
    before = scheduler.stats[:submitted]
    yield
    scheduler.stats[:submitted] - before
  end

  def compute_for(seconds)
    limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
    nil until Process.clock_gettime(Process::CLOCK_MONOTONIC) > limit
  end
end
