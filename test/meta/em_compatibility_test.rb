# frozen_string_literal: true

require "support/base"

# Every claim of docs/em-compatibility.md names the tests that show it; they have to be there.
class EMCompatibilityTest < Minitest::Test
  ROWS = File.readlines("#{ROOT}/docs/em-compatibility.md").grep(/\A\| (?!\|)/).map { |row| row.strip.split(" | ") }

  def test_the_tests_it_names_are_there
    assert_empty(cited.reject { |name| there?(name) })
    assert_operator cited.size, :>, 50
  end

  # But for the one row that says that nothing is wrong.
  def test_every_row_names_one
    assert_operator ROWS.count { |row| citations(row.last).empty? }, :<=, 1
  end

  # The check has to be able to fail.
  def test_a_test_that_is_not_there_is_noticed
    refute there?("timers/are_always_late")
    refute there?("clocks")
    assert there?("timers/none_is_early")
  end

  private

  def cited = ROWS.flat_map { |row| citations(row.last) }.uniq

  def citations(cell) = cell.scan(%r{`([a-z0-9_./]+)`}).flatten

  def there?(name)
    return File.exist?(File.join(ROOT, name)) if name.end_with?(".yml")
    return true if File.exist?(file_of(name))

    file, _, sentence = name.rpartition("/")
    File.exist?(file_of(file)) && File.read(file_of(file)).match?(/^  def test_#{sentence}$/)
  end

  def file_of(name) = "#{ROOT}/test/em/#{name}_test.rb"
end
