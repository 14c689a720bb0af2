# frozen_string_literal: true

require "evented/em"
require "helper"

# Whatever EventMachine has, by name and number of arguments, Evented::EM has too: eventmachine/names.txt is the list.
class EventMachineNamesTest < Minitest::Test
  LIST = "#{__dir__}/eventmachine/names.txt".freeze

  # Inner workings of EventMachine's own classes, which nobody calls from outside.
  INNER = [
    /\AEventMachine::(?:File|Process)Watch(?:::C\w+|#receive_data)/,
    /\AEventMachine::DNS::(?:Request#(?:tick|receive_answer)|Socket|Resolver\.windows\?)/,
    /\AEventMachine::(?:Deferrable::)?Pool#(?:completion|failure|process|requeue)\b/,
    /\AEventMachine::PeriodicTimer#(?:fire|schedule)\b/,
    /\AEventMachine\.(?:_open_file_for_writing|attach_io|spawn_threadpool)\b/
  ].freeze

  # These say that they take any number, and raise for more, or make nothing of them.
  FEWER = {
    "EventMachine.add_timer" => "1..2", "EventMachine.add_periodic_timer" => "1..2",
    "EventMachine::Connection#enable_keepalive" => "0..3"
  }.freeze

  def test_every_constant_is_there
    missing = lines(/\A(?:\w+::)+\w+\z/).reject { |name| constant(name) }

    assert_empty missing
  end

  def test_every_number_is_the_same
    different = lines(/\A\S+ = \d+\z/).reject do |line|
      name, number = line.split(" = ")
      constant(name)&.last == number.to_i
    end

    assert_empty different
  end

  def test_every_class_descends_from_the_same_one
    different = lines(/\Aclass /).reject do |line|
      name, parent = line.delete_prefix("class ").split(" < ")
      # A Struct without a name is the affair of its class.
      parent.start_with?("#") || constant(name)&.last&.<=(constant(parent)&.last || NilClass)
    end

    assert_empty different
  end

  def test_every_module_is_one
    different = lines(/\Amodule /).reject { |line| constant(line.split.last)&.last.instance_of?(Module) }

    assert_empty different
  end

  def test_every_function_is_there_and_takes_as_many_arguments
    assert_empty(lines(/\A[\w:]+\./).reject do |line|
      owner, name, counts = parts(line, ".")
      owner.respond_to?(name) && takes?(owner.method(name), counts)
    end)
  end

  def test_every_method_is_there_and_takes_as_many_arguments
    assert_empty(lines(/\A[\w:]+#/).reject do |line|
      owner, name, counts = parts(line, "#")
      owner&.method_defined?(name) && takes?(owner.instance_method(name), counts)
    end)
  end

  # A list that lost its lines would prove nothing.
  def test_the_list_is_whole
    assert_operator File.readlines(LIST).size, :>, 600
    assert_operator lines(/\AEventMachine\./).size, :>, 110
    assert_operator lines(/\AEventMachine::Connection#/).size, :>, 50
    assert constant("EventMachine::Connection")
    assert_nil constant("EventMachine::Nowhere")
    refute takes?(method(:constant), "2..2")
  end

  private

  def lines(kind)
    File.readlines(LIST, chomp: true).grep(kind).reject { |line| INNER.any? { |inner| inner.match?(line) } }
  end

  # @return [Array(Module, String, String)] whose method it is (nil if it is not there), its name, its counts
  def parts(line, separator)
    method, counts = line.split
    owner, name = method.split(separator, 2)
    [constant(owner)&.last, name, FEWER.fetch(method, counts)]
  end

  # @return [Array(Object), nil] the value; nil if there is none
  def constant(name)
    # Postgres3 is only there with this gem.
    $LOADED_FEATURES.concat(%w[postgres-pr/message.rb postgres-pr/connection.rb] - $LOADED_FEATURES)
    name = name.sub(/\AEventMachine\b/, "Evented::EM").sub(/\ABufferedTokenizer\b/, "Evented::EM::BufferedTokenizer")
    # Some say when they are named that they are deprecated.
    capture_io { name = [Object.const_get(name)] }
    name
  rescue NameError
    nil
  end

  # @param counts [String] "1..2", "1.." of theirs: with each of them ours can be called too
  def takes?(method, counts)
    least, most = counts.split("..").map(&:to_i)
    required, optional, rest = method.parameters.map(&:first).tally.values_at(:req, :opt, :rest)
    required.to_i <= least && (rest || (most && required.to_i + optional.to_i >= most))
  end
end
