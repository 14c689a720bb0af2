# frozen_string_literal: true

require "English"
require "json"

# Tests of the core under what finds errors that a plain run does not show. None of them needs Ruby.
module CoreChecks
  extend Rake::DSL

  module_function

  # Only the crate itself is built with `cfg(loom)`, so what it depends on is that of the plain tests.
  #
  # @return [String] the test program
  def loom_program
    command = %w[cargo rustc --locked -p evented-core --lib --profile test --message-format json
                 --target-dir target -- --cfg loom]
    messages = IO.popen(command, &:readlines)
    abort "the tests for loom do not compile" unless $CHILD_STATUS.success?
    messages.filter_map { |line| JSON.parse(line)["executable"] }.last
  end

  # @return [String] such as "x86_64-unknown-linux-gnu"; with it named, build scripts are built without the sanitizer
  def host = `rustc -vV`[/^host: (.+)/, 1]
end

namespace :test do
  desc "Run the core's remote and offload in every order that threads can have (loom)"
  task :loom do
    sh CoreChecks.loom_program, "loom_tests", verbose: false
  end

  desc "Run the core's tests under AddressSanitizer; a stable toolchain will do"
  task :asan do
    # The flag is for nightly toolchains; the runtime comes with every one, for Linux on x86-64 and ARM64.
    env = { "RUSTC_BOOTSTRAP" => "1", "RUSTFLAGS" => "-Zsanitizer=address", "CARGO_TARGET_DIR" => "target/asan",
            "ASAN_OPTIONS" => "detect_leaks=0" }
    sh(env, "cargo", "test", "--locked", "-p", "evented-core", "--lib", "--tests", "--target", CoreChecks.host)
  end

  desc "Run what the core does in memory alone under Miri; takes a nightly toolchain with the component"
  task :miri do
    # A few random cases: here each takes seconds.
    env = { "MIRIFLAGS" => "-Zmiri-disable-isolation", "PROPTEST_CASES" => "4", "CARGO_TARGET_DIR" => "target/miri" }
    command = %w[cargo +nightly miri test --locked -p evented-core]
    sh(env, *command, "--lib", "--", "clock::", "op::", "outbound::", "ready::")
    sh(env, *command, *%w[--test timers --test tables --test reactor --test short_transfers])
  end
end
