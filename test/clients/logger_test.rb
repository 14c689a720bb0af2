# frozen_string_literal: true

require "helper"
require "logger"
require "support/client_tests"
require "tmpdir"

# Ruby's own Logger, into a pipe: who reads that may be slow.
class LoggerTest < Minitest::Test
  include ClientTests

  client "Logger"
  without_timeout_of_its_own
  without :g
  undef_method :test_e_the_server_hangs_up

  # A logger, and the end of its pipe that is read from.
  Client = Struct.new(:logger, :pipe)

  # More than a pipe holds.
  LONG = "x" * 200_000

  # It says so, and goes on.
  def test_e_the_reader_hangs_up
    in_company do
      client = connect
      client.pipe.close

      assert_output("", /log writing failed. Broken pipe/) { client.logger.info("a line") }
    ensure
      client.logger.close
    end
  end

  def test_lines_of_many_fibers_are_not_mixed
    in_reactor do
      with_clients(1) do |(client)|
        lines = Array.new(10) { |n| n.to_s * 20_000 }
        lines.each { |line| Evented { client.logger.info(line) } }

        assert_equal lines, Array.new(10) { client.pipe.gets.chomp }.sort
      end
    end
  end

  def test_a_file_that_is_rotated
    Dir.mktmpdir do |directory|
      in_company do
        logger = Logger.new("#{directory}/log", 20, 10_000)
        Array.new(10) { |n| Fiber.schedule { 100.times { |m| logger.info("line #{n} #{m} #{"x" * 50}") } } }
        wait_until { lines_in(directory) == 1000 }
        logger.close

        assert_equal(1000, Dir["#{directory}/log*"].sum { |file| File.foreach(file).grep(/line/).size })
      end
    end
  end

  private

  # @return [Integer, nil] nil if a file was rotated meanwhile: from Ruby 3.4 on opening one suspends
  def lines_in(directory)
    Dir["#{directory}/log*"].sum { |file| File.foreach(file).grep(/line/).size }
  rescue Errno::ENOENT
    nil
  end

  def connect(**)
    reader, writer = IO.pipe
    writer.sync = true
    Client.new(Logger.new(writer, formatter: ->(_, _, _, message) { "#{message}\n" }), reader)
  end

  def disconnect(client)
    client.pipe.close
    client.logger.close
  end

  # A line that was interrupted stands half written before the next.
  def ask(client, text)
    line = Evented { client.pipe.gets }
    client.logger.info(text)
    line.value.chomp.delete_prefix("x" * line.value.count("x"))
  end

  def slow(client)
    reader = Evented { sleep(SLOW) && client.pipe.gets }
    client.logger.info(LONG)
    reader.value
  end

  def stuck(client) = client.logger.info(LONG)
end
