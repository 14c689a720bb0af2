# frozen_string_literal: true

require "yaml"

# Debian ships rbs with Ruby, but not its command.
RBS = [RbConfig.ruby, "-rrbs", "-rrbs/cli", "-e", "RBS::CLI.new(stdout: $stdout, stderr: $stderr).run(ARGV)",
       "--"].freeze
# Whose signatures ours need: as those who use the gem are told.
OTHERS = YAML.load_file("sig/manifest.yaml").fetch("dependencies").flat_map { |other| ["-r", other.fetch("name")] }

LINTS = {
  rustfmt: [%w[cargo fmt --all --check]],
  clippy: [%w[cargo clippy --locked --workspace --all-targets -- -D warnings]],
  rustdoc: [{ "RUSTDOCFLAGS" => "-D warnings" },
            %w[cargo doc --locked --no-deps --document-private-items -p evented-core]],
  rubocop: [%w[rubocop --no-server]],
  rbs: [[*RBS, *OTHERS, "-I", "sig", "validate"]],
  yard: [%w[yard doc --no-output --no-cache --no-progress --no-save --fail-on-warning]]
}.freeze

namespace :lint do
  LINTS.each do |name, (*env, command)|
    desc "Check with #{name}"
    task name do
      sh(*env, *command)
    end
  end

  desc "Check every Ruby file's syntax, a warning being a failure"
  task :warnings do
    files = Rake::FileList["{lib,test,bench,examples,rakelib}/**/*.{rb,rake}", "Rakefile", "Gemfile", "*.gemspec"]
    noisy = files.filter_map do |file|
      output = IO.popen([RbConfig.ruby, "-wc", file], err: %i[child out], &:read)
      "#{file}: #{output}" unless output.strip == "Syntax OK"
    end
    abort noisy.join if noisy.any?
  end
end

desc "Run every lint, also after one has failed, and fail if any did"
task :lint do
  failed = [*LINTS.keys, :warnings].reject do |name|
    Rake::Task["lint:#{name}"].invoke
    true
  rescue RuntimeError, SystemExit => e
    warn e.message
    false
  end
  abort "lint failed: #{failed.join(", ")}" if failed.any?
end
