# frozen_string_literal: true

desc "Build the gem into pkg/"
task :package do
  mkdir_p "pkg"
  sh "gem", "build", "--output", "pkg/#{GEMSPEC.file_name}", "evented.gemspec"
end
