# frozen_string_literal: true

require "support/active_record"

# The examples of the guide: each is Ruby, and those that do something do it.
class RailsGuideTest < Minitest::Test
  include ActiveRecordTest

  BLOCKS = File.read("#{ROOT}/docs/guides/rails.md").scan(/^```ruby\n(.*?)^```/m).flatten.freeze
  # What needs an application, or is of another file.
  DECLARATIONS = /\Agem |Rails\.application|ActiveSupport::TestCase/

  BLOCKS.each_with_index do |source, index|
    define_method("test_block_#{index + 1}") do
      assert RubyVM::InstructionSequence.compile(source)
      next if source.match?(DECLARATIONS)

      locals = TOPLEVEL_BINDING.dup
      locals.eval(source)
      assert_equal 50, locals.local_variable_get(:ids).uniq.size if source.include?("ids =")
      assert_equal 3, locals.local_variable_get(:counts).size if source.include?("counts =")
      assert_equal 200, Entry.count if source.include?("1..200")
    end
  end

  def test_there_are_blocks
    assert_operator BLOCKS.size, :>=, 6
    assert_operator BLOCKS.grep_v(DECLARATIONS).size, :>=, 4
  end

  def test_the_settings_are_those_there_are
    documented = File.read("#{ROOT}/docs/guides/rails.md").scan(/^\| `(\w+)` \|/).flatten
    railtie = File.read("#{ROOT}/lib/evented/rails/railtie.rb")

    assert_equal railtie.scan(/^      config\.evented\.(\w+) =/).flatten.sort, documented.sort
  end
end
