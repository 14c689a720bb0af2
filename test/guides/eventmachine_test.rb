# frozen_string_literal: true

require "helper"
require "support/ruby_process"

# Every example of the guide, run: it prints what stands below it.
class EventMachineGuideTest < Minitest::Test
  GUIDE = File.read("#{ROOT}/docs/guides/eventmachine.md")
  BLOCKS = GUIDE.scan(/^```ruby\n(.*?)^```\n\n```text\n(.*?)^```/m)

  BLOCKS.each_with_index do |(source, text), index|
    define_method("test_block_#{index + 1}") { assert_equal text, output_of_ruby(source) }
  end

  def test_every_block_of_code_has_its_output
    assert_equal GUIDE.scan(/^```ruby$/).size, BLOCKS.size
    assert_operator BLOCKS.size, :>=, 2
  end
end
