# frozen_string_literal: true

require "support/event_machine"
require "support/event_machine_api"

# Everything that EventMachine has is there, under its name, and takes the same arguments (test/em/api.yml).
class EMApiTest < Minitest::Test
  LIST = YAML.load_file("#{ROOT}/test/em/api.yml").freeze
  OURS = EventMachineApi.new(EM).to_h.freeze

  def test_all_functions_are_there
    assert_empty lacking(LIST["functions"], OURS["functions"], "EM.")
  end

  def test_all_methods_of_connections_are_there
    assert_empty lacking(LIST["connection"], OURS["connection"], "Connection#")
  end

  def test_numbers_have_the_same_values
    assert_equal LIST["values"], OURS["values"].slice(*LIST["values"].keys)
  end

  LIST["classes"].each do |name, described|
    define_method("test_#{name.gsub("::", "_")}_is_all_there") do
      ours = OURS["classes"][name]

      assert ours, "there is no EM::#{name}"
      assert_includes ancestors(name), described["is"], "EM::#{name} is another kind of thing" if inherited?(described)
      assert_empty described.fetch("has", []) - ours.fetch("has", [])
      type = EM.const_get(name)
      methods = arities(described["instance"], type) { |method| type.instance_method(method) }
      singletons = arities(described["singleton"], type.singleton_class) { |method| type.method(method) }
      assert_empty lacking(described["instance"], methods, "#{name}#")
      assert_empty lacking(described["singleton"], singletons, "#{name}.")
    end
  end

  def test_p_is_protocols
    assert_same EM::Protocols, EM::P
  end

  def test_errors_by_number_and_version_are_there
    assert_equal Errno::ECONNREFUSED, EM::ERRNOS[Errno::ECONNREFUSED::Errno]
    assert_match(/\A\d+\.\d+/, EM::VERSION)
    [EM::OPENSSL_VERSION, EM::OPENSSL_LIBRARY_VERSION].each { |version| assert_kind_of String, version }
  end

  def test_what_only_we_have_is_there
    skip "EventMachine does not have it" if ORACLE
    assert_empty LIST["extensions"]["functions"] - OURS["functions"].keys
    assert_empty LIST["extensions"]["connection"] - OURS["connection"].keys
  end

  # What is new belongs in the list, and in docs/em-compatibility.md.
  def test_there_is_nothing_that_is_not_listed
    functions, connection = LIST["extensions"].values_at("functions", "connection")

    assert_empty OURS["functions"].keys - LIST["functions"].keys - functions - LIST["internal"]["functions"]
    assert_empty OURS["connection"].keys - LIST["connection"].keys - connection
  end

  def test_what_is_left_out_is_listed_as_of_eventmachine
    skip "EventMachine has it" if ORACLE
    refute_respond_to EM, :spawn_threadpool
    assert_empty LIST["left_out"] & named(OURS["functions"], "EM.")
  end

  # The comparison has to be able to fail.
  def test_it_notices_what_is_missing_and_what_takes_other_arguments
    ours = { "same" => 1, "more" => -2, "fewer" => 0, "must" => 2, "not_optional" => 2 }
    theirs = { "same" => 1, "more" => 3, "fewer" => 1, "must" => 1, "not_optional" => -2, "missing" => 0 }

    assert_equal %w[x.fewer x.must x.not_optional x.missing], lacking(theirs, ours, "x.")
  end

  private

  # Of those of the named methods that a class or module has, its own and inherited ones.
  def arities(named, type)
    (named || {}).keys.select { |name| type.public_method_defined?(name) }.to_h { |name| [name, yield(name).arity] }
  end

  # @return [Array<String>] what is not there, or does not take what EventMachine's takes
  def lacking(theirs, ours, prefix)
    (theirs || {}).filter_map do |name, arity|
      full = "#{prefix}#{name}"
      full unless takes?((ours || {})[name], arity) || LIST["left_out"].include?(full)
    end
  end

  def takes?(ours, theirs)
    return false unless ours
    return ours.negative? if theirs.negative?

    ours == theirs || (ours.negative? && -ours - 1 <= theirs)
  end

  def inherited?(described) = !%w[module Object].include?(described["is"])

  def ancestors(name)
    EM.const_get(name).ancestors.map { |ancestor| ancestor.name.to_s.delete_prefix("#{EM.name}::") }
  end

  def named(list, prefix) = list.keys.map { |name| "#{prefix}#{name}" }
end
