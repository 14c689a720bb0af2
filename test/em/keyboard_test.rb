# frozen_string_literal: true

require "support/event_machine"

# Standard input.
class EMKeyboardTest < Minitest::Test
  SCRIPT = <<~RUBY
    handler = Module.new do
      define_method(:post_init) { puts "open" }
      define_method(:receive_data) { |data| EM.stop if p(data) == "." }
      define_method(:unbind) { puts "end" }
    end
    EM.run { EM.open_keyboard(handler) }
  RUBY

  def test_standard_input_is_received_byte_by_byte
    assert_equal "open\n\"a\"\n\"\\n\"\n\".\"\nend\n", output_of_em(SCRIPT, stdin: "a\n.")
  end

  def test_its_end_ends_the_connection
    not_of_eventmachine "does not notice it"
    script = SCRIPT.sub('puts "end"', 'EM.stop if puts("end").nil?')

    assert_equal "open\n\"a\"\nend\n", output_of_em(script, stdin: "a")
  end

  def test_the_mixin_for_lines_can_be_used
    assert_equal "[\"one\"]\n[\"two\"]\n", output_of_em(<<~RUBY, stdin: "one\ntwo\n")
      handler = Module.new do
        include EM::Protocols::LineText2
        define_method(:receive_line) { |line| EM.stop if p([line]) == ["two"] }
      end
      EM.run { EM.open_keyboard(handler) }
    RUBY
  end
end
