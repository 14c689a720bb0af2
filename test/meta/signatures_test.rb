# frozen_string_literal: true

require "support/base"

class SignaturesTest < Minitest::Test
  def test_every_library_file_has_its_signature_file
    missing = Dir["lib/**/*.rb", base: ROOT].map { |file| file.sub(/\Alib/, "sig").sub(/rb\z/, "rbs") }
                                            .reject { |file| File.exist?(File.join(ROOT, file)) }
    assert_empty missing
  end

  # Files that describe native classes have no Ruby twin; they say so by their name.
  def test_every_signature_file_has_its_library_file
    orphans = Dir["sig/**/*.rbs", base: ROOT].reject { |file| File.basename(file) == "native.rbs" }
                                             .map { |file| file.sub(/\Asig/, "lib").sub(/rbs\z/, "rb") }
                                             .reject { |file| File.exist?(File.join(ROOT, file)) }
    assert_empty orphans
  end
end
