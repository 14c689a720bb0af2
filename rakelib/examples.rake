# frozen_string_literal: true

require "English"

desc "Run every example on both drivers"
task examples: :compile do
  limit = system("timeout --version", out: File::NULL) ? %w[timeout --kill-after=5 60] : []
  runs = Dir["examples/*.rb"].product(%w[uring poll])
  failed = runs.reject do |file, driver|
    output = IO.popen({ "EVENTED_DRIVER" => driver }, [*limit, RbConfig.ruby, "-w", "-Ilib", file],
                      in: File::NULL, err: %i[child out], &:read)
    ok = $CHILD_STATUS.success?
    puts "#{ok ? "ok    " : "FAILED"} #{file} on #{driver}"
    puts output.gsub(/^/, "    ") unless ok
    ok
  end
  puts "#{runs.size - failed.size} passed, #{failed.size} failed"
  abort "examples failed" if failed.any?
end
