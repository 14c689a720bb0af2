# frozen_string_literal: true

module Evented
  module EM
    # Makes something that can be called.
    #
    # @overload Callback(callable)
    #   @param callable [#call]
    # @overload Callback(object, method)
    #   @param method [Symbol, String] of the object
    # @return [#call]
    # @raise [ArgumentError] if nothing of that was given
    def self.Callback(object = nil, method = nil, &block)
      if object.respond_to?(:call) && method.nil? then object
      elsif object && method then ->(*arguments) { object.__send__(method, *arguments) }
      elsif block then block
      else raise ArgumentError, "expected a callable object, an object with a method, or a block"
      end
    end
  end
end
