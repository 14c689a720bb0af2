# frozen_string_literal: true

require "rbconfig"
require "support/base"

class SourcesTest < Minitest::Test
  # Where packages come from, and where this checkout lay on someone's machine: it has to work anywhere.
  HOSTS = /(?:deb|security|snapshot)\.debian\.org|pypi\.org|registry\.npmjs\.org|(?:static|index)\.crates\.io/
  MACHINE = %r{/(?:work)/(?:main|shared)\b|/(?:root)/|/(?:home)/\w+/}

  def test_tracked_files_name_no_package_host
    assert_empty(offenders { |text| text[HOSTS] })
  end

  def test_tracked_files_name_no_path_of_a_machine
    assert_empty(offenders { |text| text[MACHINE] })
  end

  def test_the_lock_file_names_the_public_index_only
    sources = File.read(File.join(ROOT, "Cargo.lock")).scan(/^source = "(.*)"/).flatten.uniq
    assert_equal ["registry+https://github.com/rust-lang/crates.io-index"], sources
  end

  def test_every_library_file_parses_without_a_warning
    files = Dir[File.join(ROOT, "lib/**/*.rb")]
    refute_empty files
    files.each do |file|
      assert_equal "Syntax OK", IO.popen([RbConfig.ruby, "-wc", file], err: %i[child out], &:read).strip, file
    end
  end

  def test_every_ruby_file_has_frozen_string_literals
    files = Dir[File.join(ROOT, "{lib,test,bench,examples,rakelib,ext}/**/*.{rb,rake}")]
    assert_empty(files.reject { |file| File.foreach(file).first(3).join.include?("# frozen_string_literal: true") })
  end

  # Minitest runs public methods only.
  def test_no_test_stands_behind_private
    files = Dir[File.join(ROOT, "test/**/*_test.rb")]
    hidden = files.select { |file| File.read(file).match?(/^  private$(?:(?!^end$|^class ).)*?^  def test_/m) }
    assert_empty hidden
    assert_operator files.size, :>, 50
  end

  private

  # @yieldparam text [String] a tracked file's content
  # @return [Hash{String => String}] file to what the block found in it
  def offenders
    tracked.to_h { |file| [file, yield(File.binread(File.join(ROOT, file)))] }.compact
  end

  def tracked
    files = IO.popen(%w[git ls-files -z], chdir: ROOT, err: File::NULL, &:read).split("\0")
    skip "not a git checkout" if files.empty?
    # A file that another hand is just moving may be listed and gone.
    files.select { |file| File.file?(File.join(ROOT, file)) }
  end
end
