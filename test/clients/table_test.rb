# frozen_string_literal: true

require "helper"
require "support/client_row"

# The table of clients is what their tests say.
class ClientsTableTest < Minitest::Test
  TABLE = "docs/clients.md"

  (Dir["#{__dir__}/*_test.rb"] - [File.expand_path(__FILE__)]).each { |file| require file }

  def test_it_has_a_row_for_each_client_and_says_what_their_tests_say
    assert_equal ClientRow::ROWS.values.map(&:row).sort, rows.map { |row| row[0..8] }.sort
  end

  def test_whoever_needs_a_remedy_is_told_which
    told = rows.reject { |row| !row[1..8].intersect?(%w[remedy no partly]) || row.last.size > 40 }

    assert_empty told
  end

  private

  def rows
    lines = File.readlines(File.join(ROOT, TABLE), chomp: true)
    table = lines.drop_while { |line| !line.start_with?("| Client ") }.take_while { |line| line.start_with?("|") }
    table.drop(2).map { |line| line.delete_prefix("|").delete_suffix("|").split("|").map(&:strip) }
  end
end
