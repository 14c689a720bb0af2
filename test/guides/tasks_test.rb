# frozen_string_literal: true

require "helper"
require "support/ruby_process"

# Every example of the guide, run: it prints what stands below it.
class TasksGuideTest < Minitest::Test
  BLOCKS = File.read("#{ROOT}/docs/guides/tasks.md").scan(/^```ruby\n(.*?)^```\n\n```text\n(.*?)^```/m)

  BLOCKS.each_with_index do |(source, text), index|
    define_method("test_block_#{index + 1}") { assert_equal text, output_without_lints(source) }
  end

  def test_every_block_of_code_has_its_output
    assert_equal File.read("#{ROOT}/docs/guides/tasks.md").scan(/^```ruby$/).size, BLOCKS.size
    assert_operator BLOCKS.size, :>=, 15
  end

  private

  # An example may show what a warning would be about: an unused variable, a block that does nothing.
  def output_without_lints(source)
    output, errors, status = ruby("$VERBOSE = nil; eval(#{source.dump}, TOPLEVEL_BINDING)")
    assert_predicate status, :success?, "#{status}\n#{errors}"
    assert_empty errors
    output
  end
end
