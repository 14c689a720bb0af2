# frozen_string_literal: true

require "helper"
require "support/suite_process"

# Every example of the guide, run. It passes; one with a block of text behind it fails, and says that.
class TestingGuideTest < Minitest::Test
  BLOCKS = File.read("#{ROOT}/docs/guides/testing.md").scan(/^```ruby\n(.*?)^```\n(?:\n```text\n(.*?)^```)?/m)

  BLOCKS.each_with_index do |(source, text), index|
    define_method("test_block_#{index + 1}") do
      run = run_suite(source, *runner(source), "FILE")

      assert_match(/\b[1-9]\d* (?:runs|examples?)\b/, run.output)
      if text
        text.each_line(chomp: true) { |line| assert_includes run.output, line.delete_suffix("…") }
      else
        assert_predicate run.status, :success?, run.output
      end
    end
  end

  def test_there_are_blocks
    assert_operator BLOCKS.size, :>=, 5
    assert_equal 1, BLOCKS.count(&:last)
  end

  private

  def runner(source)
    return [] unless source.include?("evented/rspec")

    ["-e", "require 'rspec/core'; exit RSpec::Core::Runner.run(ARGV)", "--"]
  end
end
