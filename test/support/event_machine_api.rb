# frozen_string_literal: true

require "yaml"

# What EventMachine, or we, have: names, arities, values. Of EventMachine it is written down in test/em/api.yml:
#
#   ruby -Itest -reventmachine -rsupport/event_machine_api -e 'puts EventMachineApi.new(EM).to_yaml'
class EventMachineApi
  # They are there for EventMachine's own code.
  INTERNAL = /\A(?:_|run_deferred_callbacks\z)/

  def initialize(namespace)
    @namespace = namespace
  end

  # @return [Hash{String => Hash}]
  def to_h
    {
      "functions" => arities(@namespace.singleton_methods) { |name| @namespace.method(name) },
      "connection" => instance_methods_of(@namespace::Connection),
      "values" => values,
      "classes" => classes.to_h { |name, type| [name, description(type)] }
    }
  end

  def to_yaml = to_h.to_yaml

  private

  def arities(names)
    names.grep_v(INTERNAL).sort.to_h { |name| [name.to_s, yield(name).arity] }
  end

  def instance_methods_of(type)
    arities(type.public_instance_methods(false)) { |name| type.public_instance_method(name) }
  end

  # Numbers and the like.
  def values
    @namespace.constants.sort.filter_map do |name|
      value = @namespace.const_get(name)
      [name.to_s, value] if value.is_a?(Numeric) || value == true || value == false
    end.to_h
  end

  # All of them, by name, those inside others as well.
  def classes(namespace = @namespace, prefix = "")
    namespace.constants(false).sort.flat_map do |name|
      type = namespace.const_get(name)
      # P is Protocols, and only what is of EventMachine counts.
      next [] if name == :P || !type.is_a?(Module) || !type.name.to_s.start_with?("#{@namespace.name}::")

      [["#{prefix}#{name}", type], *classes(type, "#{prefix}#{name}::")]
    rescue LoadError
      # It needs a gem that is not there.
      []
    end
  end

  def description(type)
    {
      "is" => type.is_a?(Class) ? short(type.superclass) : "module",
      "has" => short_list(type.included_modules - Object.included_modules),
      "instance" => instance_methods_of(type),
      "singleton" => arities(type.singleton_methods(false)) { |name| type.method(name) }
    }.reject { |_, value| value.respond_to?(:empty?) && value.empty? }
  end

  def short(type) = type.name.to_s.delete_prefix("#{@namespace.name}::")

  def short_list(types) = types.map { |type| short(type) }.reject { |name| name.empty? || name.include?("EM") }.sort
end
