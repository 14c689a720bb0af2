# frozen_string_literal: true

require "English"
require "support/base"

# em, rails, solid_queue, rack, testing and the test frameworks → evented → Evented::Native → binding → core; never the
# other way.
class DirectionTest < Minitest::Test
  # The faces on top of evented: nothing below may load them.
  FACES = %w[em eventmachine rails solid_queue rack testing minitest rspec test-unit].freeze

  def test_the_core_knows_no_ruby
    manifest = File.read(File.join(ROOT, "ext/evented-core/Cargo.toml"))
    assert_empty manifest.scan(/\b(?:rb-sys|magnus|rb-allocator)\b/)
    core = Dir[File.join(ROOT, "ext/evented-core/**/*.rs")]
    refute_empty core
    assert_empty(core.select { |file| code(file).match?(/\b(?:rb_sys|magnus|VALUE)\b/) })
  end

  def test_what_cargo_resolves_for_the_core_has_no_ruby_either
    tree = IO.popen(%w[cargo tree --locked -p evented-core -e normal --prefix none],
                    chdir: ROOT, err: File::NULL, &:read)
    assert_predicate $CHILD_STATUS, :success?, "cargo tree failed"
    assert_empty tree.scan(/^(?:rb-sys|magnus)\b.*/)
  end

  def test_the_library_loads_no_face_of_its_own_accord
    files = Dir[File.join(ROOT, "lib/{evented.rb,evented/*.rb}")]
            .reject { |file| FACES.include?(File.basename(file, ".rb")) }
    refute_empty files
    files.each do |file|
      loads = code(file).scan(/^\s*require(?:_relative)?[ (]["']([^"']+)["']/).flatten
      bad = loads.select do |name|
        name.split("/").intersect?(FACES) || name.match?(/\A(?:rails|rack|active|eventmachine)/)
      end
      assert_empty bad, file
    end
  end

  private

  def code(file) = File.read(file).gsub(%r{^\s*(?://|#).*$}, "")
end
