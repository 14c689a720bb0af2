# frozen_string_literal: true

require "helper"
require "logger"
require "support/ruby_process"

class LoggerRepairsTest < Minitest::Test
  # More than a pipe holds.
  LONG = "x" * 200_000

  def test_a_task_that_is_cancelled_while_it_writes_a_line_is_cancelled
    with_stuck_logger do |logger|
      task = Evented { logger.info(LONG) && flunk("it went on") }
      task.cancel("enough")

      assert_equal "enough", assert_raises(Evented::Cancel) { task.value }.reason
    end
  end

  def test_a_task_that_is_cancelled_while_it_waits_for_the_line_of_another
    with_stuck_logger do |logger|
      writer = Evented { logger.info(LONG) }
      task = Evented { logger.info("behind it") && flunk("it went on") }
      task.cancel

      assert_raises(Evented::Cancel) { task.value }
      assert_predicate writer, :alive?
      writer.cancel
    end
  end

  def test_timeouts
    with_stuck_logger do |logger|
      assert_raises(Timeout::Error) { Timeout.timeout(0.01) { logger.info(LONG) } }
      assert_raises(Evented::TimeoutError) { Evented.timeout(0.01) { logger.info(LONG) } }
    end
  end

  def test_a_device_that_fails_is_complained_about_as_ever
    device = Object.new
    def device.write(_) = raise("the disk is full")
    def device.close = nil
    in_reactor do
      assert_output("", /log writing failed. the disk is full/) { Logger.new(device).info("a line") }
    end
  end

  def test_a_logger_that_is_loaded_after_evented
    output = output_of_ruby(<<~RUBY)
      require "logger"
      reader, writer = IO.pipe
      Evented do
        task = Evented { Logger.new(writer).info("x" * 200_000) }
        task.cancel
        task.value
      rescue Evented::Cancel
        puts "cancelled"
      end
    RUBY

    assert_equal "cancelled\n", output
  end

  private

  def with_stuck_logger
    reader, writer = IO.pipe
    in_reactor { yield Logger.new(writer) }
  ensure
    [reader, writer].each(&:close)
  end
end
