# frozen_string_literal: true

require "helper"
require "open3"
require "support/client_tests"

# Ruby's own Open3: a process for each question.
class Open3Test < Minitest::Test
  include ClientTests

  client "Open3"
  without_timeout_of_its_own
  with_remedy :c, :d
  without :g

  def setup
    @running = []
  end

  # One that ends when its input does needs no remedy: Open3 closes that.
  def test_c_cancelled_while_a_filter_waits_for_its_input
    in_reactor do
      task = Evented { Open3.popen2("cat") { |_, output, _| output.read } }
      a_few_turns
      task.cancel

      assert_raises(Evented::Cancel) { task.value }
    end
  end

  def test_much_in_both_directions
    in_company do
      text = "0123456789" * 200_000
      output, errors, status = Open3.capture3("cat; cat /dev/null >&2", stdin_data: text)

      assert_equal [text.hash, "", true], [output.hash, errors, status.success?]
    end
  end

  private

  # There is nothing to be connected to.
  def connect(**) = Object.new

  def disconnect(client) = client

  def ask(_client, text) = Open3.capture2("cat", stdin_data: text).first

  def slow(_client) = Open3.capture2e("sleep", SLOW.to_s).last.success?

  # Open3 waits for the process, whatever becomes of who waits for that: so it has to be told.
  def stuck(_client)
    Open3.popen2("sleep", "60") do |_, output, process|
      @running << process.pid
      raise EOFError if output.read.empty?
    ensure
      terminate(process.pid) if process.alive?
    end
  end

  def terminate(pid)
    Process.kill(:TERM, pid)
  rescue Errno::ESRCH
    nil # it has just ended
  end

  def hang_up = terminate(@running.last)

  def hang_ups = [EOFError]
end
