# frozen_string_literal: true

# Ruby warns of the first IO::Buffer of a process, that it is experimental. The hooks get nothing else.
Warning[:experimental].then do |enabled|
  Warning[:experimental] = false
  IO::Buffer.new(1)
ensure
  Warning[:experimental] = enabled
end
