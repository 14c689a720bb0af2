# frozen_string_literal: true

# Lists what EventMachine has: constants, classes, methods with how many arguments they take. names.txt was made with
#
#     ruby -W0 -reventmachine test/meta/eventmachine/list.rb >test/meta/eventmachine/names.txt
#
# (and a file postgres-pr/message.rb in the load path, which Postgres3 wants):
#
#     class EventMachine::Connection < Object
#     EventMachine::TimerFired = 100
#     EventMachine::Connection#send_data 1..1
#     EventMachine.add_timer 0..

require "em/io_streamer"
require "em/messages"
require "fastfilereaderext"

# Collects the lines, a module after the other.
class NamesOfEventMachine
  attr_reader :lines

  def initialize
    @lines = []
    @seen = {}
    list(EventMachine)
    list(BufferedTokenizer)
  end

  private

  def list(mod)
    return if @seen[mod]

    @seen[mod] = true
    name = mod.name
    @lines << (mod.is_a?(Class) ? "class #{name} < #{mod.superclass}" : "module #{name}")
    mod.singleton_methods(false).each { |method| @lines << "#{name}.#{method} #{counts(mod.method(method))}" }
    mod.instance_methods(false).each { |method| @lines << "#{name}##{method} #{counts(mod.instance_method(method))}" }
    mod.constants(false).each { |constant| list_constant("#{name}::#{constant}", mod.const_get(constant)) }
  end

  def list_constant(name, value)
    @lines << (value.is_a?(Integer) ? "#{name} = #{value}" : name)
    list(value) if value.is_a?(Module) && value.name.start_with?("EventMachine::")
  end

  # "1..1", "0..2", "1.." for any number
  def counts(method)
    required, optional, rest = method.parameters.map(&:first).tally.values_at(:req, :opt, :rest)
    rest ? "#{required.to_i}.." : "#{required.to_i}..#{required.to_i + optional.to_i}"
  end
end

puts NamesOfEventMachine.new.lines.sort
