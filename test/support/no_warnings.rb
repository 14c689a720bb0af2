# frozen_string_literal: true

# For processes that no test watches: they tell every warning, and fail at their end if there was one.
module NoWarnings
  @told = []

  class << self
    # @return [Array<String>]
    attr_reader :told

    # Ends the process with status 1 if anything has warned.
    def check
      abort "#{@told.size} warnings, the first of them: #{@told.first}" if @told.any?
    end
  end

  def warn(message, ...)
    NoWarnings.told << message
    $stderr.write(message)
  end
end

Warning[:deprecated] = true
Warning.singleton_class.prepend(NoWarnings)
